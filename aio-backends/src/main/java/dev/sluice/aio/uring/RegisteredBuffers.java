package dev.sluice.aio.uring;

import dev.sluice.linux.Errno;
import dev.sluice.linux.UringBuffers;
import io.netty.channel.IoHandler;
import io.netty.channel.uring.IoUringIoHandler;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.BitSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The buffers that are registered with a loop's ring, for all its sinks.
 *
 * <p>Netty has no interface for it and keeps the ring's descriptor to itself; it is asked for it by reflection, when a loop first has something to register.
 * Where that or the kernel refuses, nothing is registered, one line of the log at debug level says why, and requests take the ordinary way.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Ownership:</b> the ring's; the kernel drops the table with it. <b>Failure:</b> {@link #NONE}.
 * <b>Allocation:</b> at registration only.
 */
final class RegisteredBuffers {
    /** The place of a buffer that is not registered. */
    static final int NONE = -1;

    static final int PLACES = 1024;

    private static final Logger LOG = LoggerFactory.getLogger(RegisteredBuffers.class);
    private static final int UNKNOWN = -1;

    private final String loopName;
    private final IoHandler handler;
    private final BitSet used = new BitSet(PLACES);
    private boolean tried;

    /** The descriptor of the ring once it has a table; {@link #UNKNOWN} before, and where it gets none. */
    private int ring = UNKNOWN;

    RegisteredBuffers(String loopName, IoHandler handler) {
        this.loopName = loopName;
        this.handler = handler;
    }

    private static int ringOf(IoHandler handler) {
        try {
            Field ringBuffer = IoUringIoHandler.class.getDeclaredField("ringBuffer");
            ringBuffer.setAccessible(true);
            Object ring = ringBuffer.get(handler);
            Method fd = ring.getClass().getDeclaredMethod("fd");
            fd.setAccessible(true);
            return (int) fd.invoke(ring);
        } catch (ReflectiveOperationException | RuntimeException changed) {
            LOG.debug("this version of Netty does not reveal the ring's descriptor; no buffers are registered", changed);
            return UNKNOWN;
        }
    }

    /**
     * Pins memory of at most {@link UringBuffers#MAX_BUFFER_BYTES}.
     *
     * @return its place for READ_FIXED and WRITE_FIXED, or {@link #NONE}
     */
    int register(long address, long bytes) {
        int place = used.nextClearBit(0);
        if (place >= PLACES || !hasTable()) {
            return NONE;
        }
        int result = UringBuffers.set(ring, place, address, bytes);
        if (result != 1) {
            LOG.debug("{}: {} bytes could not be registered: {}", loopName, bytes, Errno.name(-result));
            return NONE;
        }
        used.set(place);
        return place;
    }

    /** Lets go of what {@link #register} has pinned; what is in flight on it keeps it until it has ended. */
    void unregister(int place) {
        UringBuffers.clear(ring, place);
        used.clear(place);
    }

    private boolean hasTable() {
        if (!tried) {
            tried = true;
            ring = ringWithTable();
        }
        return ring != UNKNOWN;
    }

    private int ringWithTable() {
        int found = ringOf(handler);
        int result = found == UNKNOWN ? 0 : UringBuffers.createTable(found, PLACES);
        if (result < 0) {
            LOG.debug("{}: no table of registered buffers: {}", loopName, Errno.name(-result));
            return UNKNOWN;
        }
        return found;
    }
}
