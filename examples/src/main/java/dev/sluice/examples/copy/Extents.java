package dev.sluice.examples.copy;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Where an image has data and where it has holes, according to its file system (SEEK_DATA, SEEK_HOLE).
 *
 * <p><b>Threading:</b> one thread at a time, as the calls move the file's position. <b>Ownership:</b> of a descriptor of its own. <b>Failure:</b>
 * {@link IOException} in one line. If the file system does not support holes, everything is data. Source: lseek(2).
 */
final class Extents implements AutoCloseable {
    private static final long BLOCK_BYTES = 4096;

    private final Path image;
    private final Fd fd;

    private Extents(Path image, Fd fd) {
        this.image = image;
        this.fd = fd;
    }

    static Extents of(Path image) throws IOException {
        return new Extents(image, LinuxFile.openOrThrow(image.toString(), LinuxFile.O_RDONLY | LinuxFile.O_CLOEXEC, 0));
    }

    /** The data of a range, in order, rounded out to blocks of 4 KiB within the range. */
    List<Extent> data(Extent range) throws IOException {
        List<Extent> data = new ArrayList<>();
        long at = range.offsetBytes();
        while (at < range.endBytes()) {
            long start = seek(at, LinuxFile.SEEK_DATA);
            if (start == -Errno.ENXIO || start >= range.endBytes()) {
                break;
            }
            if (start == -Errno.EINVAL) {
                return List.of(range);
            }
            long end = checked(seek(start, LinuxFile.SEEK_HOLE), "SEEK_HOLE");
            long from = Math.max(at, checked(start, "SEEK_DATA") / BLOCK_BYTES * BLOCK_BYTES);
            long to = Math.min(range.endBytes(), Math.ceilDiv(end, BLOCK_BYTES) * BLOCK_BYTES);
            data.add(new Extent(from, to - from));
            at = to;
        }
        return data;
    }

    /** The parts of a range outside these extents, which are in order and within it. */
    static List<Extent> holes(Extent range, List<Extent> data) {
        List<Extent> holes = new ArrayList<>();
        long at = range.offsetBytes();
        for (Extent extent : data) {
            if (extent.offsetBytes() > at) {
                holes.add(new Extent(at, extent.offsetBytes() - at));
            }
            at = extent.endBytes();
        }
        if (at < range.endBytes()) {
            holes.add(new Extent(at, range.endBytes() - at));
        }
        return holes;
    }

    private long seek(long offset, int whence) {
        return LinuxFile.lseek(fd.number(), offset, whence);
    }

    private long checked(long result, String what) throws IOException {
        if (result < 0) {
            throw new ErrnoException("lseek(" + what + ")", image.toString(), (int) result, "check the file system");
        }
        return result;
    }

    @Override
    public void close() {
        fd.close();
    }
}
