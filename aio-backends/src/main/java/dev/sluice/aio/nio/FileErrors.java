package dev.sluice.aio.nio;

import dev.sluice.linux.Errno;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.NonWritableChannelException;
import java.util.Locale;

/**
 * From what a channel throws to an errno. The JDK keeps the C library's text and nothing else, so this knows the errors that a guest should distinguish by
 * their English text; everything else is EIO. Any thread.
 */
final class FileErrors {
    private FileErrors() {}

    /** A negative errno. */
    static int errno(Throwable thrown) {
        return switch (thrown) {
            case ClosedChannelException closed -> -Errno.EBADF;
            case NonWritableChannelException readOnly -> -Errno.EROFS;
            // Memory that its owner has truncated.
            case InternalError truncated -> -Errno.EFAULT;
            case IOException io -> named(String.valueOf(io.getMessage()).toLowerCase(Locale.ROOT));
            default -> -Errno.EIO;
        };
    }

    private static int named(String text) {
        if (text.contains("no space left")) {
            return -Errno.ENOSPC;
        }
        if (text.contains("quota exceeded")) {
            return -Errno.EDQUOT;
        }
        if (text.contains("read-only file system")) {
            return -Errno.EROFS;
        }
        if (text.contains("bad address")) {
            return -Errno.EFAULT;
        }
        if (text.contains("file too large")) {
            return -Errno.EFBIG;
        }
        return text.contains("cannot allocate memory") ? -Errno.ENOMEM : -Errno.EIO;
    }
}
