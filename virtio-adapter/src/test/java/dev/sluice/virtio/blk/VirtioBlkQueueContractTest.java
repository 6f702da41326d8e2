package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.RequestQueue;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.RequestQueueContract;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/** A virtqueue is a queue as any other. */
final class VirtioBlkQueueContractTest extends RequestQueueContract {
    private static final int F_NEXT = QueueUnderTest.F_NEXT;
    private static final int F_WRITE = QueueUnderTest.F_WRITE;
    private static final int ENTRIES = 3;

    @Override
    protected OtherSide open(IoLoop loop, int index, int size) {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.connected = false;
        setup.loop = (ManualLoop) loop;
        setup.index = index;
        setup.size = size;
        try {
            return new Guest(setup.open());
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    /** One head after the other, each with an indirect table of three entries. */
    private static final class Guest implements OtherSide {
        private final QueueUnderTest guest;
        private int next;

        Guest(QueueUnderTest guest) {
            this.guest = guest;
            guest.queue.start(() -> {});
            guest.queue.enabled(true);
        }

        @Override
        public RequestQueue queue() {
            return guest.queue;
        }

        private static int wireType(BlockOp op) {
            return switch (op) {
                case READ -> VirtioBlkRequestHeader.T_IN;
                case WRITE -> VirtioBlkRequestHeader.T_OUT;
                case FLUSH -> VirtioBlkRequestHeader.T_FLUSH;
                case DISCARD -> VirtioBlkRequestHeader.T_DISCARD;
                case WRITE_ZEROES -> VirtioBlkRequestHeader.T_WRITE_ZEROES;
            };
        }

        private long table(int head) {
            return HEAP + 0x1000L * (head + 1);
        }

        @Override
        public void offer(BlockOp op, long sector, int lengthBytes) {
            int head = next++ % guest.size;
            long table = table(head);
            long header = table + 0x100;
            guest.header(header, wireType(op), sector);
            guest.poke(header + 16, QueueUnderTest.STATUS_UNTOUCHED);
            guest.desc(head, table, 16L * ENTRIES, QueueUnderTest.F_INDIRECT, 0);
            guest.entry(table, 0, header, 16, F_NEXT, 1);
            guest.entry(table, 1, HEAP + 0x20000 + 0x4000L * head, lengthBytes, F_NEXT | (op == BlockOp.WRITE ? 0 : F_WRITE), 2);
            guest.entry(table, 2, header + 16, 1, F_WRITE, 0);
            guest.offer(head);
            guest.publish();
        }

        @Override
        public List<BlockStatus> takeStatuses() {
            List<BlockStatus> statuses = new ArrayList<>();
            for (Used used : guest.takeUsed()) {
                byte value = guest.peek(table(used.head()) + 0x100 + 16);
                for (BlockStatus status : BlockStatus.values()) {
                    if (status.wireValue() == value) {
                        statuses.add(status);
                    }
                }
            }
            return statuses;
        }

        @Override
        public boolean breakRing() {
            guest.availIdx(0x4000);
            return true;
        }

        @Override
        public void close() {
            guest.close();
        }
    }
}
