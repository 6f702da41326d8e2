package dev.sluice.examples.cli;

import java.io.IOException;
import java.util.Arrays;

/** A file that people write is not UTF-8; the message is one line that shows the bytes. A command that fails of it ends as one that was used wrongly. */
public final class NotUtf8Exception extends IOException {
    private NotUtf8Exception(String message) {
        super(message);
    }

    /**
     * The content of a file, once it is known to be UTF-8.
     *
     * @throws NotUtf8Exception naming the file and its first line that is none
     */
    public static byte[] check(String file, byte[] content) throws NotUtf8Exception {
        if (!RawArguments.isUtf8(content)) {
            int line = 1;
            // A byte of a character of several is never a line feed.
            for (int start = 0, end; start < content.length; start = end + 1, line++) {
                for (end = start; end < content.length && content[end] != '\n'; end++) {}
                byte[] bytes = Arrays.copyOfRange(content, start, end);
                if (!RawArguments.isUtf8(bytes)) {
                    throw new NotUtf8Exception(file + " line " + line + ": " + RawArguments.shown(bytes).strip() + ": is not UTF-8: write it in UTF-8, and rename what it names");
                }
            }
        }
        return content;
    }
}
