package dev.sluice.examples.cli;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Files that a command is asked to write. */
public final class OutputFiles {
    private OutputFiles() {}

    /**
     * Makes sure, before any work is done, that a file can be written; makes it where it is not there yet.
     *
     * @throws IOException in one line that names the option and what to do
     */
    public static void check(String option, Path path) throws IOException {
        try {
            Files.writeString(path, "", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (FileSystemException refused) {
            throw new IOException(
                    option + " " + path + " cannot be written (" + refused.getClass().getSimpleName()
                            + "): name a file in a directory that exists and is yours",
                    refused);
        }
    }
}
