package dev.sluice.bench.matrix;

import dev.sluice.bench.load.FullImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;

/**
 * The images that the backends share, one at a time, created on first use and filled with data.
 *
 * <p><b>Threading:</b> one thread. <b>Failure:</b> the creation of an image is tried once; if it fails, every row on it reports the reason.
 */
final class Images {
    private static final long ROOM_TO_SPARE_BYTES = 256L << 20;
    private static final long SMALL_BYTES = 4L << 20;
    private static final String TMPFS = "tmpfs";

    private final MatrixSettings settings;
    private final Workspace workspace;
    private final Map<Medium, Path> made = new EnumMap<>(Medium.class);
    private final Map<Medium, String> refused = new EnumMap<>(Medium.class);

    Images(MatrixSettings settings, Workspace workspace) {
        this.settings = settings;
        this.workspace = workspace;
    }

    /** Whether its creation has been tried. */
    boolean tried(Medium medium) {
        return made.containsKey(medium) || refused.containsKey(medium);
    }

    /** The full image on a medium. */
    Path on(Medium medium) throws IOException {
        Path existing = made.get(medium);
        if (existing != null) {
            return existing;
        }
        String reason = refused.get(medium);
        if (reason != null) {
            throw new IOException(reason);
        }
        try {
            Path image = make(medium);
            made.put(medium, image);
            return image;
        } catch (IOException failed) {
            String why = "no image for the " + medium.text() + ": " + failed.getMessage();
            refused.put(medium, why);
            throw new IOException(why, failed);
        }
    }

    /**
     * As many images as a backend has disks; of several, small ones, the path of the one that the others are named after.
     */
    Path on(Medium medium, int disks) throws IOException {
        Path one = on(medium);
        if (disks == 1) {
            return one;
        }
        for (Path image : Places.each(one, disks)) {
            if (!Files.exists(image)) {
                FullImage.create(image, SMALL_BYTES);
            }
        }
        return one;
    }

    private Path make(Medium medium) throws IOException {
        boolean ram = medium == Medium.RAM;
        Path directory = ram ? settings.ramDirectory() : settings.diskDirectory();
        String option = ram ? "--ram-dir" : "--dir";
        if (!Files.isDirectory(directory)) {
            throw new IOException(directory + " is not a directory; set one with " + option);
        }
        String type = Files.getFileStore(directory).type();
        if (ram != type.equals(TMPFS)) {
            throw new IOException(directory + " is on " + type + ", which is " + (ram ? "not in memory" : "in memory") + "; set another with " + option);
        }
        long room = Files.getFileStore(directory).getUsableSpace();
        if (room < settings.imageBytes() + ROOM_TO_SPARE_BYTES) {
            throw new IOException(directory + " has room for " + (room >> 20) + " MiB, not for " + (settings.imageBytes() >> 20)
                    + " with a margin; set another with " + option + ", or a smaller --image-size");
        }
        Path image = workspace.directoryIn(directory).resolve("disk.img");
        FullImage.create(image, settings.imageBytes());
        return image;
    }
}
