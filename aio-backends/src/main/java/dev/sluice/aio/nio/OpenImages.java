package dev.sluice.aio.nio;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The images that channels of this process hold. The kernel drops such a channel's lock when the process closes any descriptor of the same file
 * (fcntl(2), "Advisory record locking"), even one whose opening was refused because of that lock; so every backend asks here before it opens.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> {@link IOException} in one line.
 */
public final class OpenImages {
    private static final Set<Object> HELD = ConcurrentHashMap.newKeySet();

    private OpenImages() {}

    /**
     * Makes sure that opening an image drops nobody's lock.
     *
     * @throws IOException where a channel of this process has it open
     */
    public static void requireNotHeld(Path image) throws IOException {
        Object key = key(image);
        if (key != null && HELD.contains(key)) {
            throw held(image);
        }
    }

    /** From now on the image is held, until {@link #release}; returns what that takes, null if the file system does not distinguish files. */
    static @Nullable Object hold(Path image) throws IOException {
        Object key = key(image);
        if (key != null && !HELD.add(key)) {
            throw held(image);
        }
        return key;
    }

    static void release(@Nullable Object key) {
        if (key != null) {
            HELD.remove(key);
        }
    }

    private static IOException held(Path image) {
        return new IOException("lock " + image + ": this process has the image open already, with the nio backend: close that one first");
    }

    /** Device and inode; null where there is no such file, which opening reports better, or no such thing. */
    private static @Nullable Object key(Path image) {
        try {
            return Files.readAttributes(image, BasicFileAttributes.class).fileKey();
        } catch (IOException unknown) {
            return null;
        }
    }
}
