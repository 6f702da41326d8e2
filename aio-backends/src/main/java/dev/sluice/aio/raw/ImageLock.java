package dev.sluice.aio.raw;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.OfdLock;
import java.io.IOException;

/**
 * QEMU's image locks, so that QEMU and Sluice refuse one another's busy images.
 *
 * <p>Who opens an image states which permissions it uses and which it lets others use. Each of the two is a byte of the file, locked
 * <em>shared</em> by whoever states it: byte {@code 100 + permission} "I use this", byte {@code 200 + permission} "others must not". Then everybody
 * looks whether somebody else has locked the opposite byte. The lock lives on the open file description and ends with it; it has nothing
 * to do with the file's data at those offsets.
 *
 * <p>A reader uses "consistent read" and forbids "write" and "resize"; a writer uses "write" too. So readers share an image, and a writer
 * is alone with it, as with the disks of a QEMU machine. QEMU's tools, when they only read, forbid nothing and so may look at a disk that is being
 * written (qemu-img info).
 *
 * <p><b>Threading:</b> any. Source: QEMU {@code block/file-posix.c}, raw_apply_lock_bytes and raw_check_lock_bytes; fcntl(2).
 */
public final class ImageLock {
    static final int USES_BASE = 100;
    static final int FORBIDS_BASE = 200;

    /** BLK_PERM_ of QEMU, as bit numbers. */
    static final int CONSISTENT_READ = 0;
    static final int WRITE = 1;
    static final int RESIZE = 3;

    private static final int[] READER_USES = {CONSISTENT_READ};
    private static final int[] WRITER_USES = {CONSISTENT_READ, WRITE};
    private static final int[] FORBIDS = {WRITE, RESIZE};

    private ImageLock() {}

    /**
     * Locks an image for as long as the open file lives.
     *
     * @param fd open for reading at least; must be the only open file of this process that is locked so
     * @throws IOException where another process (or another disk of this one) has the image, or the file system has no such locks
     */
    public static void acquire(int fd, String path, boolean readOnly) throws IOException {
        int[] uses = readOnly ? READER_USES : WRITER_USES;
        // First state, then look: of two that come at the same moment both may fail, but never both succeed.
        for (int permission : uses) {
            state(fd, path, USES_BASE + permission);
        }
        for (int permission : FORBIDS) {
            state(fd, path, FORBIDS_BASE + permission);
        }
        for (int permission : uses) {
            look(fd, path, readOnly, FORBIDS_BASE + permission);
        }
        for (int permission : FORBIDS) {
            look(fd, path, readOnly, USES_BASE + permission);
        }
    }

    private static void state(int fd, String path, int offset) throws IOException {
        int result = OfdLock.shared(fd, offset, 1);
        if (result < 0) {
            throw new ErrnoException("fcntl(F_OFD_SETLK)", path, result,
                    result == -Errno.EAGAIN ? busy(false) : "keep the image on a file system with file locks");
        }
    }

    private static void look(int fd, String path, boolean readOnly, int offset) throws IOException {
        int result = OfdLock.testExclusive(fd, offset, 1);
        if (result == -Errno.EAGAIN) {
            throw new ErrnoException("lock", path, result, busy(readOnly));
        }
        if (result < 0) {
            throw new ErrnoException("fcntl(F_OFD_GETLK)", path, result, "keep the image on a file system with file locks");
        }
    }

    private static String busy(boolean readOnly) {
        return "the image is in use by another process or disk"
                + (readOnly ? ", which writes to it; end that one first" : "; end that one first, or open it read-only on both sides");
    }
}
