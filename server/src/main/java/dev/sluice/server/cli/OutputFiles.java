package dev.sluice.server.cli;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Files that a command writes on request. */
public final class OutputFiles {
    private OutputFiles() {}

    /**
     * Makes sure, before any work is done, that a file can be written; creates it if it does not exist.
     *
     * @throws IOException with one line that names the option and the remedy
     */
    public static void check(String option, Path path) throws IOException {
        try {
            Files.writeString(path, "", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (FileSystemException refused) {
            throw new IOException(
                    option + " " + path + " cannot be written (" + refused.getClass().getSimpleName()
                            + "): use a file in an existing directory that you may write to",
                    refused);
        }
    }
}
