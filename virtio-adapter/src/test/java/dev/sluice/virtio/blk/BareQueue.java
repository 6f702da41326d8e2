package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.F_INDIRECT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_WRITE;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtqUsed;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A queue that no pipeline serves: the test polls it, completes its requests and drives its loop. */
abstract class BareQueue {
    static final int IN = 0;
    static final long DATA = HEAP + 0x10000;
    static final long TABLE = HEAP + 0x8000;

    QueueUnderTest guest;
    VirtioBlkQueue queue;
    int wakes;
    /** Whether the test has closed the queue. */
    boolean closed;

    BareQueue() throws IOException {
        guest = bare().open();
        queue = guest.queue;
    }

    static QueueUnderTest.Setup bare() {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.connected = false;
        return setup;
    }

    final void reopen(QueueUnderTest.Setup setup) throws IOException {
        guest.close();
        guest = setup.open();
        queue = guest.queue;
        begin();
    }

    @BeforeEach
    final void begin() {
        wakes = 0;
        queue.eventFds(guest.call.number(), guest.err.number());
        queue.start(() -> wakes++);
        queue.enabled(true);
        assertThat(wakes).isEqualTo(1);
        wakes = 0;
    }

    @AfterEach
    final void free() {
        int _ = guest.loop.tickUntilIdle();
        if (closed) {
            guest.closeAllButQueue();
        } else {
            guest.close();
        }
    }

    final BlockRequest polled() {
        return Objects.requireNonNull(queue.poll());
    }

    final void offer(int... heads) {
        for (int head : heads) {
            long _ = guest.plain(head, IN, 0, DATA, 512);
            guest.offer(head);
        }
        guest.publish();
    }

    final int usedFlags() {
        return VirtqUsed.flags(guest.usedRing(), 0);
    }

    final List<Used> usedAfterTick() {
        int _ = guest.loop.tickUntilIdle();
        return guest.takeUsed();
    }

    /** A read of so many sectors, each with a descriptor of its own, made available. */
    final void large(int head, int segments) {
        long table = TABLE + head * 0x200L;
        guest.header(HEAP, IN, 0);
        guest.desc(head, table, 16L * (segments + 2), F_INDIRECT, 0);
        guest.entry(table, 0, HEAP, 16, F_NEXT, 1);
        for (int i = 1; i <= segments; i++) {
            guest.entry(table, i, DATA, 512, F_WRITE | F_NEXT, i + 1);
        }
        guest.entry(table, segments + 1, HEAP + 0x100 + head, 1, F_WRITE, 0);
        guest.offer(head);
    }

    final Throwable failureOf() {
        try {
            queue.poll();
        } catch (BrokenQueueException broken) {
            return broken;
        }
        throw new AssertionError("it is not broken");
    }
}
