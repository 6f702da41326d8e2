package dev.sluice.virtio.queue;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.LinuxAio;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** The real batch of calls over a kernel that refuses some. */
public final class SimulatedCalls {
    private SimulatedCalls() {}

    /** The batch; {@code violation} hears of calls to what is not an eventfd any more. */
    public static CallBatch over(IoLoop loop, BooleanSupplier refuses, Consumer<String> violation) throws IOException {
        return new CallBatch(loop, (context, count, iocbAddresses) -> {
            for (int i = 0; i < count; i++) {
                int fd = NativeMemory.getInt(NativeMemory.getLong(iocbAddresses + (long) i * Long.BYTES) + Iocb.RESULT_FD_OFFSET);
                if (!EventFd.isEventFd(fd)) {
                    violation.accept("a call is made through descriptor " + fd + ", which is no eventfd any more");
                }
            }
            return refuses.getAsBoolean() ? -Errno.EAGAIN : LinuxAio.submit(context, refuses.getAsBoolean() ? 1 : count, iocbAddresses);
        });
    }
}
