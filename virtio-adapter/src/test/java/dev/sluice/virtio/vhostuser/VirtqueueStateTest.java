package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Fd;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.RingAddresses;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A queue that is stopped is a value: it or another one continues from that over the same memory. */
final class VirtqueueStateTest {
    private static final int SECTORS = 8;

    /** A driver under load, whose queue is handed over again and again. */
    private static final class Load implements AutoCloseable {
        private final InlineDevice device;
        private final SplittableRandom random;
        /** What the disk holds once all is written, by sector. */
        private final long[] written = new long[SECTORS];
        /** Sectors of the requests in flight, by slot; one request for a sector at a time, as requests in flight have no order. */
        private final Map<Integer, Integer> sectorOfSlot = new HashMap<>();

        private Virtqueue queue;
        private Fd kick = InlineDevice.eventFd();
        private Fd call = InlineDevice.eventFd();
        private long submitted;
        private long completed;
        private long handedOver;

        Load(long seed, long features) throws IOException {
            random = new SplittableRandom(seed);
            device = new InlineDevice(features);
            device.device.accept(features);
            queue = device.virtqueue(0);
        }

        void start(int position) throws ProtocolViolation {
            device.queue.ring().startAt(position);
            queue.size(InlineDevice.QUEUE_SIZE);
            queue.position(position);
            queue.addresses(
                    device.user(device.queue.ring().descOffset()), device.user(device.queue.ring().availOffset()),
                    device.user(device.queue.ring().usedOffset()));
            queue.enable(true);
            queue.call(call);
            queue.kick(kick, device.memory());
        }

        void step() throws ProtocolViolation {
            switch (random.nextInt(6)) {
                case 0, 1 -> submit();
                case 2 -> kickIfWanted();
                case 3 -> device.sink().hold();
                case 4 -> {
                    device.loop.execute(() -> device.sink().releaseAll());
                    reap();
                }
                default -> handOver();
            }
        }

        private void submit() {
            int sector = random.nextInt(SECTORS);
            if (sectorOfSlot.containsValue(sector)) {
                return;
            }
            boolean write = random.nextBoolean();
            int slot = device.queue.submit(write ? BlkRequest.T_OUT : BlkRequest.T_IN, sector, 512);
            if (slot < 0) {
                return;
            }
            submitted++;
            sectorOfSlot.put(slot, sector);
            if (write) {
                written[sector] = submitted;
            }
            device.queue.memory().set(ValueLayout.JAVA_LONG_UNALIGNED, device.queue.dataOffset(slot), write ? submitted : -1);
            if (random.nextBoolean()) {
                kickIfWanted();
            }
        }

        private void kickIfWanted() {
            if (device.queue.publish()) {
                device.loop.fire(kick.number());
            }
        }

        private void reap() {
            int _ = device.queue.poll((slot, status, writtenBytes) -> {
                assertThat(status).isEqualTo(BlkRequest.S_OK);
                int sector = Objects.requireNonNull(sectorOfSlot.remove(slot));
                assertThat(device.queue.memory().get(ValueLayout.JAVA_LONG_UNALIGNED, device.queue.dataOffset(slot)))
                        .as("sector %d", sector)
                        .isEqualTo(written[sector]);
                completed++;
            });
        }

        /** What is in flight completes while the queue stops; what was not taken waits in the ring for the next one. */
        private void handOver() throws ProtocolViolation {
            CompletableFuture<Integer> stopping = queue.beginStop();
            device.loop.execute(() -> device.sink().releaseAll());
            VirtqueueState state = queue.endStop(stopping);
            assertThat(state).isEqualTo(queue.state());
            queue.closeFds();
            Virtqueue next = device.virtqueue(0);
            kick = InlineDevice.eventFd();
            call = InlineDevice.eventFd();
            next.takeOver(kick, call, null);
            next.start(state, device.memory());
            assertThat(next.state()).isEqualTo(state);
            assertThat(next.ringState()).isEqualTo(RingState.ENABLED);
            queue = next;
            handedOver++;
        }

        void finish() {
            kickIfWanted();
            device.loop.execute(() -> device.sink().releaseAll());
            reap();
            assertThat(device.queue.inFlight()).as("lost").isZero();
            assertThat(completed).isEqualTo(submitted);
            assertThat(device.events.completed).as("done once each").containsExactlyEntriesOf(Map.of(0, submitted));
            assertThat(handedOver).isGreaterThan(50);
        }

        @Override
        public void close() {
            CompletableFuture<Integer> stopping = queue.beginStop();
            device.loop.execute(() -> device.sink().releaseAll());
            VirtqueueState _ = queue.endStop(stopping);
            queue.closeFds();
            assertThat(device.loop.failures()).isEmpty();
            device.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"1, false", "2, false", "3, true", "4, true"})
    void shouldLoseNothingAndDoNothingTwiceWhenAnotherQueueContinuesUnderLoad(long seed, boolean eventIdx) throws Exception {
        long features = VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC | (eventIdx ? VirtioFeatures.EVENT_IDX : 0);
        try (Load load = new Load(seed, features)) {
            load.start(0xFFF0);
            for (int step = 0; step < 1000; step++) {
                load.step();
            }
            load.finish();
        }
    }

    /** Everything that the front end has set, and what only the queue knows. */
    @Test
    void shouldNameAllThatItWasGiven() throws Exception {
        long features = VirtioFeatures.VERSION_1;
        try (Load load = new Load(5, features)) {
            assertThat(load.queue.state()).isEqualTo(VirtqueueState.INITIAL);
            load.start(7);
            load.device.queue.ring().disarmCall();
            assertThat(load.device.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotNegative();
            load.kickIfWanted();
            VirtqueueState state = load.queue.endStop(load.queue.beginStop());
            RingAddresses addresses = new RingAddresses(
                    load.device.user(load.device.queue.ring().descOffset()),
                    load.device.user(load.device.queue.ring().availOffset()),
                    load.device.user(load.device.queue.ring().usedOffset()));
            assertThat(state)
                    .isEqualTo(new VirtqueueState(InlineDevice.QUEUE_SIZE, addresses, 8, features, true, true, true, false, false, false));
            load.queue.start(state, load.device.memory());
            load.device.queue.splitRing().rawAvailIdx(0x4000);
            load.device.loop.fire(load.kick.number());
            assertThat(load.queue.endStop(load.queue.beginStop()).broken()).isTrue();
        }
    }

    @Test
    void shouldNotStartWithOtherEventfdsThanItsStateNames() throws Exception {
        try (Load load = new Load(6, VirtioFeatures.VERSION_1)) {
            load.start(0);
            VirtqueueState state = load.queue.endStop(load.queue.beginStop());
            Virtqueue other = load.device.virtqueue(0);
            assertThatThrownBy(() -> other.start(state, load.device.memory())).isInstanceOf(IllegalStateException.class).hasMessageContaining("eventfds");
            assertThat(other.ringState()).isEqualTo(RingState.STOPPED);
            @Nullable Fd none = null;
            other.takeOver(none, none, none);
            other.start(state.withEventFds(false, false, false), load.device.memory());
            assertThat(other.endStop(other.beginStop()).position()).isZero();
        }
    }
}
