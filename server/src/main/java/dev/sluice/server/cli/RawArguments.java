package dev.sluice.server.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The bytes that a process was started with. The Java virtual machine decodes arguments in the character set of the locale, and replaces what it cannot decode:
 * then a path with such a character names another file, or none.
 *
 * <p><b>Threading:</b> any thread. <b>Failure:</b> if /proc cannot be read, arguments are shown as decoded.
 */
final class RawArguments {
    private static final char REPLACEMENT = '\uFFFD';

    private RawArguments() {}

    /** The problem with the arguments or the working directory of this process, in one line; null if all of it is UTF-8 and was decoded correctly. */
    static @Nullable String problem(String[] arguments) {
        String encoding = System.getProperty("sun.jnu.encoding", "UTF-8");
        String problem = areUnderstood(arguments, encoding) ? null : problem(arguments, encoding, entries("cmdline"));
        String directory = System.getProperty("user.dir", "");
        return problem != null || directory.indexOf(REPLACEMENT) < 0 ? problem : directoryProblem(entries("environ"));
    }

    private static boolean areUnderstood(String[] arguments, String encoding) {
        for (String argument : arguments) {
            boolean understood = encoding.equals("UTF-8") ? argument.indexOf(REPLACEMENT) < 0 : argument.chars().allMatch(c -> c < 0x80);
            if (!understood) {
                return false;
            }
        }
        return true;
    }

    /**
     * The same for given arguments.
     *
     * @param encoding the character set in which they were decoded
     * @param raw the kernel's bytes, at the end of which are the arguments; empty if unknown
     */
    static @Nullable String problem(String[] arguments, String encoding, List<byte[]> raw) {
        int before = raw.size() - arguments.length;
        for (int i = 0; i < arguments.length; i++) {
            byte[] bytes = before < 0 ? arguments[i].getBytes(UTF_8) : raw.get(before + i);
            String shown = shown(bytes);
            if (!isUtf8(bytes)) {
                return "argument " + shown + " is not UTF-8: rename the file that it names, paths must be UTF-8";
            }
            if (!encoding.equals("UTF-8") && !isAscii(bytes)) {
                return "argument " + shown + " cannot be decoded in the character set of the locale, " + encoding
                        + ": set LC_ALL=C.UTF-8, as the sluice script does";
            }
        }
        return null;
    }

    private static @Nullable String directoryProblem(List<byte[]> environment) {
        for (byte[] variable : environment) {
            String shown = shown(variable);
            if (shown.startsWith("PWD=/") && !isUtf8(variable)) {
                return "the working directory " + shown.substring("PWD=".length()) + " is not UTF-8: start sluice in another one";
            }
        }
        return null;
    }

    static boolean isUtf8(byte[] bytes) {
        return Arrays.equals(new String(bytes, UTF_8).getBytes(UTF_8), bytes);
    }

    private static boolean isAscii(byte[] bytes) {
        for (byte value : bytes) {
            if (value < 0) {
                return false;
            }
        }
        return true;
    }

    /** The text, with {@code \xNN} in place of each byte that is not valid UTF-8 or that a terminal would interpret. */
    static String shown(byte[] bytes) {
        StringBuilder shown = new StringBuilder();
        CharsetDecoder decoder = UTF_8.newDecoder();
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CharBuffer out = CharBuffer.allocate(bytes.length + 1);
        while (in.hasRemaining()) {
            CoderResult result = decoder.decode(in, out, true);
            appendPrintable(shown, out.flip());
            out.clear();
            for (int i = 0; result.isError() && i < result.length(); i++) {
                shown.append(escaped(in.get() & 0xFF));
            }
        }
        return shown.toString();
    }

    private static void appendPrintable(StringBuilder shown, CharBuffer text) {
        while (text.hasRemaining()) {
            char c = text.get();
            shown.append(Character.isISOControl(c) && c < 0x80 ? escaped(c) : String.valueOf(c));
        }
    }

    private static String escaped(int value) {
        return String.format(Locale.ROOT, "\\x%02x", value);
    }

    /** A file of /proc/self that consists of NUL-terminated strings. */
    private static List<byte[]> entries(String file) {
        List<byte[]> entries = new ArrayList<>();
        try {
            byte[] all = Files.readAllBytes(Path.of("/proc/self", file));
            int start = 0;
            for (int i = 0; i < all.length; i++) {
                if (all[i] == 0) {
                    entries.add(Arrays.copyOfRange(all, start, i));
                    start = i + 1;
                }
            }
        } catch (IOException unknown) {
            entries.clear();
        }
        return entries;
    }
}
