package dev.sluice.virtio.queue;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxAio;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.util.function.BooleanSupplier;

/** Call batches whose calls the kernel does not take while a test wants it so. */
public final class RefusableCalls {
    private RefusableCalls() {}

    public static CallBatch of(IoLoop loop, BooleanSupplier refused) throws IOException {
        return new CallBatch(loop, (context, count, iocbAddresses) -> refused.getAsBoolean() ? -Errno.EAGAIN : LinuxAio.submit(context, count, iocbAddresses));
    }
}
