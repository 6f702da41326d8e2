package dev.sluice.aio.linuxaio;

import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.IoEvent;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import java.io.IOException;

/** The real {@code linux-aio} backend over a kernel of somebody else's. */
public final class SimulatedAio implements AioCalls {
    /** What io_submit and io_getevents do. */
    public interface Kernel {
        /** Returns how many of the iocbs were taken, or a negative errno. */
        int submit(int count, long iocbAddresses);

        /** The next completion, or {@link #NONE}; its result is {@link #result}. */
        long nextCompletion();

        /** Of the completion that was taken last. */
        int result();

        long NONE = -1;
    }

    private final Kernel kernel;

    private SimulatedAio(Kernel kernel) {
        this.kernel = kernel;
    }

    public static BlockBackend open(BackendOptions options, CallThreads threads, Kernel kernel) throws IOException {
        return LinuxAioBackendProvider.open(options, threads, new SimulatedAio(kernel), CompletionSeam.NONE);
    }

    @Override
    public int submit(long context, int count, long iocbAddresses) {
        return kernel.submit(count, iocbAddresses);
    }

    @Override
    public int getEvents(long context, int maximum, long events) {
        int taken = 0;
        while (taken < maximum) {
            long data = kernel.nextCompletion();
            if (data == Kernel.NONE) {
                break;
            }
            long event = IoEvent.address(events, taken++);
            NativeMemory.putLong(event + IoEvent.DATA_OFFSET, data);
            NativeMemory.putLong(event + IoEvent.RESULT_OFFSET, kernel.result());
        }
        return taken;
    }

    @Override
    public boolean mayReadRing(long context) {
        return false;
    }
}
