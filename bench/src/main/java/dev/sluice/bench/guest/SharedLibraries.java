package dev.sluice.bench.guest;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The shared libraries of a program of the host, as {@code ldd} lists them. */
final class SharedLibraries {
    /** {@code libz.so.1 => /lib/libz.so.1 (0x7f...)} or {@code /lib64/ld-linux-x86-64.so.2 (0x7f...)}. */
    private static final Pattern LOADED_FROM = Pattern.compile("(?m)^\\s*(?:\\S+ => )?(/\\S+) \\(0x[0-9a-f]+\\)$");

    private static final Pattern NOT_FOUND = Pattern.compile("(?m)^\\s*(\\S+) => not found$");

    private SharedLibraries() {}

    /** The libraries and the loader, where the loader looks for them; none for a static program. */
    static List<Path> of(Path program) throws GuestException, InterruptedException {
        // ldd fails for a static program, and reports that on its standard error
        byte[] output = HostCommand.run(List.of("sh", "-c", "ldd \"$1\" 2>&1 || true", "sh", program.toString()));
        return parse(program, new String(output, StandardCharsets.UTF_8));
    }

    static List<Path> parse(Path program, String output) throws GuestException {
        Matcher lost = NOT_FOUND.matcher(output);
        if (lost.find()) {
            throw new GuestException(program + " does not run on this machine: its library " + lost.group(1) + " is missing");
        }
        return LOADED_FROM.matcher(output).results().map(match -> Path.of(match.group(1))).toList();
    }
}
