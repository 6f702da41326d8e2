package dev.sluice.examples.launcher;

import dev.sluice.examples.copy.CopyProgress;
import dev.sluice.examples.copy.ImageCopy;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.server.cli.Commands;
import dev.sluice.server.cli.LiveText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Copies an image with {@code BlockDevice}: sparse, with backpressure, verified; the same command resumes the copy after it was killed. */
@Command(name = "copy-image", mixinStandardHelpOptions = true, description = "Copy an image; the same command resumes a copy that was killed.")
public final class CopyImage implements Callable<Integer> {
    private static final double MIB = 1 << 20;
    private static final int MAX_CHUNK_MIB = 4096;

    @Parameters(index = "0", paramLabel = "SOURCE", description = "A raw image.")
    private Path source;

    @Parameters(index = "1", paramLabel = "TARGET", description = "The copy; TARGET.copying records the progress.")
    private Path target;

    @Option(names = "--overwrite", description = "Overwrite an existing target, such as a block device.")
    private boolean overwrite;

    @Option(names = "--chunk-mib", paramLabel = "N", defaultValue = "64", description = "MiB between two flushes (default: ${DEFAULT-VALUE}).")
    private int chunkMib;

    @Option(names = "--buffered", description = "Go through the page cache instead of O_DIRECT, which not every file system supports.")
    private boolean buffered;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public CopyImage() {}

    public static void main(String[] arguments) {
        Commands.run(new CopyImage(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        if (chunkMib < 1 || chunkMib > MAX_CHUNK_MIB) {
            throw new IllegalArgumentException("--chunk-mib " + chunkMib + " is not from 1 to " + MAX_CHUNK_MIB);
        }
        LinuxPlatform.ensureAvailable();
        CopyProgress progress = new CopyProgress();
        long start = System.nanoTime();
        ImageCopy.Summary done;
        try (ImageCopy copy = ImageCopy.open(source, target, overwrite, !buffered, (long) chunkMib << 20, progress);
                LiveText _ = LiveText.start(progress::line)) {
            done = copy.run();
        }
        System.out.printf(Locale.ROOT, "%s is a copy of %s: %,.1f MiB, of which %,.1f MiB data; %d chunks%s, each verified by its CRC32C; %.1f s%n",
                target, source, done.sizeBytes() / MIB, done.dataBytes() / MIB, done.chunks(),
                done.resumedChunks() > 0 ? " (" + done.resumedChunks() + " by an earlier run)" : "", (System.nanoTime() - start) / 1e9);
        return 0;
    }
}
