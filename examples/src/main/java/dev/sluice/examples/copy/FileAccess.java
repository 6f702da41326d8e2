package dev.sluice.examples.copy;

import dev.sluice.examples.cli.LaunchException;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import java.nio.file.Path;

/** Whether files of a copy can be made and written to, and if not, the errno, which exceptions of the JDK do not have. <b>Failure:</b> {@link LaunchException}. */
final class FileAccess {
    private static final int MODE = 0666; // less the umask

    private FileAccess() {}

    /**
     * Makes an empty file that was not there.
     *
     * @param failure what to say first where it cannot be, as "the target t cannot be made"
     */
    static void create(Path path, String failure) {
        open(path, LinuxFile.O_CREAT | LinuxFile.O_EXCL, failure);
    }

    static void assertWritable(Path path, String failure) {
        open(path, 0, failure);
    }

    private static void open(Path path, int flags, String failure) {
        int fd = LinuxFile.open(path.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC | flags, MODE);
        if (fd < 0) {
            throw new LaunchException(failure + ": " + Errno.describe(fd) + ": " + advice(-fd));
        }
        Fd.adopt(fd).close();
    }

    private static String advice(int errno) {
        return switch (errno) {
            case Errno.ENOENT, Errno.ENOTDIR -> "name a file in a directory that exists";
            case Errno.EACCES, Errno.EPERM -> "name a file in a directory that is yours, or have access given to you";
            case Errno.EROFS -> "mount its file system for writing, or name a file elsewhere";
            case Errno.ENOSPC -> "make room, or name a file elsewhere";
            case Errno.EEXIST -> "it is a link to nowhere, or another process has just made it: remove it, or name another file";
            default -> "name another file";
        };
    }
}
