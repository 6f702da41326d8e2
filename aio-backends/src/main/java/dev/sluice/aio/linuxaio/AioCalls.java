package dev.sluice.aio.linuxaio;

import dev.sluice.linux.AioRing;
import dev.sluice.linux.LinuxAio;

/** The system calls of a context, so that a test can put its own in the kernel's place. <b>Threading:</b> the context's thread. */
interface AioCalls {
    AioCalls KERNEL = new AioCalls() {};

    /** As {@link LinuxAio#setup}. */
    default long setup(int events) {
        return LinuxAio.setup(events);
    }

    /** As {@link LinuxAio#submit}. */
    default int submit(long context, int count, long iocbAddresses) {
        return LinuxAio.submit(context, count, iocbAddresses);
    }

    /** As {@link LinuxAio#getEvents}, without waiting. */
    default int getEvents(long context, int maximum, long events) {
        return LinuxAio.getEvents(context, 0, maximum, events, LinuxAio.NO_WAIT);
    }

    /** Whether the completion ring can be read in place. */
    default boolean mayReadRing(long context) {
        return AioRing.isUsable(context);
    }
}
