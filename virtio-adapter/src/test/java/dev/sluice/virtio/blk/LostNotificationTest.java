package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.linux.CallingThread;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.DriverMemory;
import dev.sluice.virtio.driver.DriverQueue;
import dev.sluice.virtio.driver.DriverRing;
import dev.sluice.virtio.driver.QueueShape;
import dev.sluice.virtio.driver.SplitDriverRing;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import dev.sluice.virtio.queue.RingAddresses;
import dev.sluice.virtio.vhostuser.RecordedEvents;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A driver and a device in threads of their own, on different CPUs, that continue only when they are notified: what the full fences of {@link DeviceRing} and
 * the second look after {@code enableKicks} are for.
 *
 * <p>A lost notification is found by the state of the ring, not by waiting: both threads sleep, no eventfd is signalled, and there is a request that
 * the device has not taken or a used element that the driver has not seen. {@code -Dsluice.fences.seconds=30} runs each variant longer.
 */
final class LostNotificationTest {
    private static final long NANOS = TimeUnit.SECONDS.toNanos(Integer.getInteger("sluice.fences.seconds", 5));
    private static final String ALLOWED_CPUS = "Cpus_allowed_list:";
    private static final long DISK_BYTES = 1 << 20;
    private static final int QUEUE_SIZE = 8;
    private static final int FIRST_INDEX = 65_000;

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void shouldLoseNoNotificationWhenDriverAndDeviceSleepAfterEachRequest(boolean eventIdx) throws Exception {
        int[] cpus = allowedCpus();
        assumeThat(cpus.length).as("SKIPPED: a driver and a device that run at the same time need two CPUs").isGreaterThanOrEqualTo(2);
        try (Peers peers = new Peers(eventIdx);
                ExecutorService threads = Executors.newFixedThreadPool(2)) {
            CompletableFuture<Void> device = CompletableFuture.runAsync(() -> peers.serve(cpus[0]), threads);
            CompletableFuture<Void> driver = CompletableFuture.runAsync(() -> peers.drive(cpus[1]), threads);
            String lost = null;
            try {
                long end = System.nanoTime() + NANOS;
                while (lost == null && System.nanoTime() - end < 0 && !device.isDone() && !driver.isDone()) {
                    Thread.sleep(1);
                    lost = peers.lostNotification();
                }
            } finally {
                peers.stop();
            }
            driver.join();
            device.join();
            assertThat(lost).as("after %d requests", peers.completed).isNull();
            assertThat(peers.driverSleeper.sleeps()).as("sleeps of the driver").isPositive();
            assertThat(peers.deviceSleeper.sleeps()).as("sleeps of the device").isPositive();
        }
    }

    private static int[] allowedCpus() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/thread-self/status"))) {
            String list = lines.filter(line -> line.startsWith(ALLOWED_CPUS)).findFirst().orElseThrow().substring(ALLOWED_CPUS.length()).strip();
            BitSet cpus = new BitSet();
            for (String range : list.split(",", -1)) {
                String[] ends = range.split("-", -1);
                cpus.set(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]) + 1);
            }
            return cpus.stream().limit(2).toArray();
        }
    }

    /** A thread that waits for an eventfd, and what others can see of it. */
    private static final class Sleeper implements AutoCloseable {
        /** Looks before it blocks: a thread that is awake for a notification meets the other one within nanoseconds, one that has to be scheduled does not. */
        private static final int LOOKS = 64;

        private final int eventFd;
        private final PollSet blocking = new PollSet(1);
        private final PollSet watching = new PollSet(1);
        /** Odd while it sleeps. While it is the same odd number, nothing has been taken out of the eventfd and the thread has done nothing else. */
        private volatile long phase;

        Sleeper(int eventFd) {
            this.eventFd = eventFd;
            int _ = blocking.add(eventFd, Poll.POLLIN);
            int _ = watching.add(eventFd, Poll.POLLIN);
        }

        @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes
        void sleep() {
            phase++;
            for (int i = 0; blocking.await(i < LOOKS ? 0 : -1) != 1; i++) {
                Thread.onSpinWait();
            }
            phase++;
            long _ = EventFd.drain(eventFd);
        }

        long sleeps() {
            return phase / 2;
        }

        static boolean asleep(long phase) {
            return (phase & 1) != 0;
        }

        /** For the thread that watches. */
        boolean signalled() {
            return watching.await(0) != 0;
        }

        @Override
        public void close() {
            blocking.close();
            watching.close();
        }
    }

    /** Both ends of one virtqueue. */
    private static final class Peers implements AutoCloseable {
        private final DriverMemory memory;
        private final DriverQueue driver;
        private final SimulatedBackend backend = new SimulatedBackend(
                new BlockGeometry(DISK_BYTES, 512, 512, 0, false, true, true), SimulatedBackend.DEFAULT_CAPACITY, SimulatedFaults.NONE);
        private final BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
        private final VirtioBlkDevice device;
        private final DeviceRing ring;
        private final GuestMemory guestMemory;
        final Sleeper driverSleeper;
        final Sleeper deviceSleeper;
        private volatile boolean stopped;
        volatile long completed;

        Peers(boolean eventIdx) throws IOException {
            QueueShape shape = QueueShape.of(QUEUE_SIZE, QUEUE_SIZE, 512);
            long features = VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC | VirtioFeatures.BLK_FLUSH | (eventIdx ? VirtioFeatures.EVENT_IDX : 0);
            memory = DriverMemory.ofOneRegion(shape.memoryBytes());
            dev.sluice.virtio.driver.MemoryRegion region = memory.regions().getFirst();
            driver = DriverQueue.create(0, shape, features, region);
            driver.ring().startAt(FIRST_INDEX);
            device = new VirtioBlkDevice(backend::geometry, 1, 126);
            device.accept(features);
            guestMemory = new GuestMemory(List.of(new MemoryRegion(region.guestAddress(), region.userAddress(), region.memory())));
            DriverRing areas = driver.ring();
            RingAddresses addresses = new RingAddresses(
                    region.userAddress() + areas.descOffset(), region.userAddress() + areas.availOffset(), region.userAddress() + areas.usedOffset());
            ring = DeviceRing.locate(guestMemory, addresses, 0, QUEUE_SIZE, FIRST_INDEX, features);
            driverSleeper = new Sleeper(driver.callFd());
            deviceSleeper = new Sleeper(driver.kickFd());
        }

        /** The device's thread. */
        void serve(int cpu) {
            assertThat(CallingThread.pin(cpu)).as("pinned to CPU %d", cpu).isZero();
            ManualLoop loop = new ManualLoop();
            try (CallBatch calls = new CallBatch(loop)) {
                VirtioBlkQueue queue = new VirtioBlkQueue(loop, 0, device, ring, guestMemory, calls, new RecordedEvents());
                QueueSource source = new QueueSource(loop, queue);
                queue.eventFds(driver.callFd(), VirtioBlkQueue.NO_FD);
                queue.start(source::kicked);
                pipeline.connect(source);
                queue.enabled(true);
                loop.tickUntilIdle();
                while (!stopped) {
                    deviceSleeper.sleep();
                    source.kicked();
                    loop.advanceNanos(1000);
                    loop.tickUntilIdle();
                }
                source.stop(() -> {});
                loop.tickUntilIdle();
                queue.close();
            } catch (IOException noBatch) {
                throw new AssertionError(noBatch);
            } finally {
                pipeline.close();
                loop.close();
            }
        }

        /** The driver's thread: one or two requests, published one by one, then it sleeps until they are used. */
        @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes
        void drive(int cpu) {
            assertThat(CallingThread.pin(cpu)).as("pinned to CPU %d", cpu).isZero();
            SplittableRandom random = new SplittableRandom(7);
            while (!stopped) {
                for (int i = random.nextInt(1, 3); i > 0; i--) {
                    int slot = driver.submit(BlkRequest.T_FLUSH, 0, 0);
                    assertThat(slot).isNotNegative();
                    boolean _ = driver.publish();
                    pause(random);
                }
                while (driver.inFlight() > 0 && !stopped) {
                    if (!driver.armCall(1)) {
                        driverSleeper.sleep();
                    }
                    driver.disarmCall();
                    completed += driver.poll((slot, status, written) -> assertThat(status).isEqualTo(BlkRequest.S_OK));
                }
            }
        }

        /** From nothing to some microseconds, the short ones as often as the long ones. */
        private static void pause(SplittableRandom random) {
            for (int i = random.nextInt(1 << random.nextInt(10)); i > 0; i--) {
                Thread.onSpinWait();
            }
        }

        /** What was lost, or null. Eventfds are signalled before their signaller sleeps, so what is true of two sleepers stays true. */
        @Nullable
        String lostNotification() {
            long devicePhase = deviceSleeper.phase;
            long driverPhase = driverSleeper.phase;
            if (!Sleeper.asleep(devicePhase) || !Sleeper.asleep(driverPhase) || deviceSleeper.signalled() || driverSleeper.signalled()) {
                return null;
            }
            SplitDriverRing areas = driver.splitRing();
            int availIdx = VirtqAvail.idxAcquire(driver.memory(), areas.availOffset());
            int taken = ring.position();
            int usedIdx = areas.rawUsedIdx();
            int seen = areas.usedIdx();
            if (deviceSleeper.phase != devicePhase || driverSleeper.phase != driverPhase) {
                return null;
            }
            if (availIdx != taken) {
                return "kick: avail idx is " + availIdx + ", the device has taken up to " + taken + " and sleeps without a kick";
            }
            if (usedIdx != seen) {
                return "interrupt: used idx is " + usedIdx + ", the driver has seen up to " + seen + " and sleeps without an interrupt";
            }
            return "neither: both sleep and the ring is empty, avail idx and used idx are " + availIdx + " and " + usedIdx;
        }

        void stop() {
            stopped = true;
            driver.kick();
            int _ = EventFd.signal(driver.callFd());
        }

        @Override
        public void close() {
            driverSleeper.close();
            deviceSleeper.close();
            backend.close();
            driver.close();
            memory.close();
        }
    }
}
