package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Mapping;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Mappings of a connection that it has given up, while a stage still has a request in them that was failed under it: they are unmapped when the last such stage
 * has signalled, because an access to memory that is unmapped ends the process.
 *
 * <p><b>Threading:</b> any thread; loops release. <b>Ownership:</b> of the mappings that wait.
 */
final class MappingQuarantine {
    /** Of all connections of a server. */
    private final AtomicLong waitingBytes;

    private final List<Mapping> waiting = new ArrayList<>();
    private int holds;

    MappingQuarantine(AtomicLong waitingBytes) {
        this.waitingBytes = waitingBytes;
    }

    /** Bytes that wait, of this connection and others of the server. */
    long waitingBytes() {
        return waitingBytes.get();
    }

    /** Whatever is given up from now on stays mapped until this is {@linkplain #release released}. */
    synchronized void hold() {
        holds++;
    }

    synchronized void release() {
        holds--;
        if (holds == 0) {
            waiting.forEach(this::closeWaiting);
            waiting.clear();
        }
    }

    private void closeWaiting(Mapping mapping) {
        waitingBytes.addAndGet(-mapping.bytes());
        mapping.close();
    }

    /** Unmaps it, now or later. */
    synchronized void close(Mapping mapping) {
        if (holds == 0) {
            mapping.close();
        } else {
            waiting.add(mapping);
            waitingBytes.addAndGet(mapping.bytes());
        }
    }
}
