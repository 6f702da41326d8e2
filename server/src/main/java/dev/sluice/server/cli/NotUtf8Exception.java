package dev.sluice.server.cli;

import java.io.IOException;
import java.util.Arrays;

/** A file written by a person is not UTF-8; the message is one line that shows the bytes. A command that fails with it exits as for wrong usage. */
public final class NotUtf8Exception extends IOException {
    private NotUtf8Exception(String message) {
        super(message);
    }

    /**
     * Decodes a file, once it is known to be UTF-8.
     *
     * @throws NotUtf8Exception if it is not; the message names the file and the first invalid line
     */
    public static byte[] check(String file, byte[] content) throws NotUtf8Exception {
        if (!RawArguments.isUtf8(content)) {
            int line = 1;
            // A byte of a character of several is never a line feed.
            for (int start = 0, end; start < content.length; start = end + 1, line++) {
                for (end = start; end < content.length && content[end] != '\n'; end++) {}
                byte[] bytes = Arrays.copyOfRange(content, start, end);
                if (!RawArguments.isUtf8(bytes)) {
                    throw new NotUtf8Exception(file + " line " + line + ": " + RawArguments.shown(bytes).strip() + ": is not UTF-8: convert the file to"
                            + " UTF-8, and rename the files that it names");
                }
            }
        }
        return content;
    }
}
