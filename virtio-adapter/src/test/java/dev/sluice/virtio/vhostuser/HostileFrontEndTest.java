package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.BackendRefusedException;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.VerifyingLoad;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a hostile front end tries. Whatever it was, the next connection works, and no descriptor stays behind. */
final class HostileFrontEndTest {
    private static final int V1 = VhostUser.VERSION;
    private static final int ACKED = VhostUser.VERSION | VhostUser.FLAG_NEED_REPLY;

    private ServerFixture fixture;
    private long descriptorsBefore;

    HostileFrontEndTest() throws IOException {
        fixture = ServerFixture.start(2, 1, builder -> builder.queueSize(128).partialMessageTimeout(Duration.ofMillis(300)));
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    /** The first connection makes what stays: scratch buffers, the sink. */
    @BeforeEach
    void warmUp() throws IOException {
        goodFrontEndWorks();
        descriptorsBefore = descriptors();
    }

    @AfterEach
    void shouldServeTheNextFrontEndAndLeakNothing() throws Exception {
        goodFrontEndWorks();
        assertThat(descriptors()).isLessThanOrEqualTo(descriptorsBefore);
        for (var loop : fixture.loops) {
            assertThat(loop.takeFailures()).isEmpty();
        }
        fixture.close();
    }

    private void goodFrontEndWorks() throws IOException {
        try (BlockDriver driver = fixture.open(2)) {
            driver.disk(1).write(0, MemorySegment.ofArray(new byte[512]));
        }
        ServerFixture.await("disconnect", () -> !fixture.server.state().connected());
    }

    private void assertHungUp(RawFrontEnd front) {
        ServerFixture.await("end of the connection", front.frontend.connection()::hungUp);
    }

    private static MemorySegment payload(long... words) {
        return MemorySegment.ofArray(words);
    }

    private static MemorySegment ints(int... words) {
        return MemorySegment.ofArray(words);
    }

    // ---- messages that are none

    @Test
    void shouldEndTheConnectionWhenTheVersionIsWrong() throws IOException {
        for (int flags : new int[] {0, 2, 3, V1 | VhostUser.FLAG_REPLY}) {
            try (RawFrontEnd front = new RawFrontEnd(fixture)) {
                front.frontend.send(VhostUser.GET_FEATURES, flags, payload());
                assertHungUp(front);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {269, 4096, Integer.MAX_VALUE, -1, Integer.MIN_VALUE})
    void shouldEndTheConnectionWhenThePayloadIsTooLarge(int stated) throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.connection().send(VhostUser.SET_OWNER, V1, stated, payload());
            assertHungUp(front);
        }
    }

    @Test
    void shouldEndTheConnectionWhenAMessageStopsHalfWay() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.connection().sendBytes(ints(VhostUser.SET_FEATURES));
            assertHungUp(front);
        }
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.connection().sendBytes(ints(VhostUser.SET_FEATURES, V1, 8, 0), front.queue.kickFd());
            assertHungUp(front);
        }
        // Closed within a message: the server is there for the next one at once.
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.connection().sendBytes(ints(VhostUser.SET_FEATURES), front.queue.kickFd());
        }
    }

    /** Front ends of a device come one after another; one that has stopped within a message is not waited for, nor one that sends it byte by byte. */
    @Test
    void shouldServeAFrontEndThatConnectsWhileAnotherHasStoppedHalfWay() throws Exception {
        try (RawFrontEnd stopped = new RawFrontEnd(fixture)) {
            stopped.frontend.connection().sendBytes(ints(VhostUser.SET_FEATURES));
            try (BlockDriver next = fixture.open(1)) {
                next.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
                assertHungUp(stopped);
            }
        }
        try (RawFrontEnd slow = new RawFrontEnd(fixture)) {
            slow.frontend.connection().sendBytes(ints(VhostUser.SET_CONFIG, V1, MessageStream.MAX_PAYLOAD_BYTES));
            Thread drip = Thread.ofVirtual().start(() -> drip(slow));
            try (BlockDriver next = fixture.open(1)) {
                next.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
                assertThat(slow.frontend.connection().hungUp()).isTrue();
            }
            drip.join();
        }
    }

    /** A payload, a byte every 50 ms: 13 s in all. */
    private static void drip(RawFrontEnd slow) {
        try {
            for (int i = 0; i < MessageStream.MAX_PAYLOAD_BYTES; i++) {
                slow.frontend.connection().sendBytes(MemorySegment.ofArray(new byte[1]));
                Thread.sleep(50);
            }
        } catch (IOException hungUp) {
            // As it should.
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void shouldRefuseWhateverItDidNotOffer() throws IOException {
        for (int request : new int[] {0, 6, 7, 19, 20, 21, 22, 26, 31, 32, 34, 39, 40, 99, -1}) {
            try (RawFrontEnd front = new RawFrontEnd(fixture)) {
                front.frontend.send(request, V1, payload(0), front.queue.kickFd());
                assertHungUp(front);
            }
        }
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            front.frontend.send(VhostUser.SET_LOG_BASE, ACKED, payload(0, 0), front.queue.kickFd());
            assertThat(front.frontend.receive().u64()).isNotZero();
            // Refused, and the connection goes on.
            assertThat(front.frontend.queueNum()).isEqualTo(2);
        }
    }

    @Test
    void shouldRefuseFeaturesThatWereNotOffered() throws IOException {
        for (long feature : new long[] {VirtioFeatures.RING_PACKED, VirtioFeatures.VHOST_LOG_ALL, 1L << 63, VirtioFeatures.BLK_RO}) {
            try (RawFrontEnd front = new RawFrontEnd(fixture)) {
                front.frontend.send(VhostUser.SET_FEATURES, V1, payload(feature));
                assertHungUp(front);
            }
        }
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.send(VhostUser.SET_PROTOCOL_FEATURES, V1, payload(VhostUser.PROTOCOL_F_INFLIGHT_SHMFD));
            assertHungUp(front);
        }
    }

    @Test
    void shouldRefuseWrongLengthsAndDescriptorsThatDoNotBelong() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            int kick = front.queue.kickFd();
            refused(front, VhostUser.SET_FEATURES, payload());
            refused(front, VhostUser.SET_FEATURES, payload(0, 0));
            refused(front, VhostUser.SET_FEATURES, payload(0), kick);
            refused(front, VhostUser.SET_OWNER, payload(), kick, kick, kick);
            refused(front, VhostUser.SET_VRING_NUM, ints(0, 16), kick);
            refused(front, VhostUser.SET_VRING_ADDR, payload(0, 0, 0, 0));
            refused(front, VhostUser.SET_VRING_KICK, payload(0));
            refused(front, VhostUser.SET_VRING_KICK, payload(0), kick, kick);
            refused(front, VhostUser.SET_VRING_KICK, payload(VhostUser.VRING_NO_FD));
            refused(front, VhostUser.SET_VRING_KICK, payload(VhostUser.VRING_NO_FD), kick);
            refused(front, VhostUser.SET_VRING_CALL, payload(1L << 9), kick);
            refused(front, VhostUser.SET_CONFIG, ints(32, 1, 0));
            refused(front, VhostUser.ADD_MEM_REG, payload(0, 0x1000, 0x1000, 0x1000, 0));
            assertThat(front.frontend.queueNum()).isEqualTo(2);
        }
    }

    private static void refused(RawFrontEnd front, int request, MemorySegment payload, int... fds) throws IOException {
        front.frontend.send(request, ACKED, payload, fds);
        assertThat(front.frontend.receive().u64()).as("request %d", request).isNotZero();
    }

    @Test
    void shouldEndTheConnectionWhenTooManyDescriptorsCome() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            int[] many = new int[250];
            java.util.Arrays.fill(many, front.queue.kickFd());
            front.frontend.send(VhostUser.SET_OWNER, V1, payload(), many);
            assertHungUp(front);
        }
    }

    // ---- rings

    @Test
    void shouldRefuseRingsThatCannotBe() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            front.shareMemory();
            for (int size : new int[] {0, 3, 256, 65536, -1, Integer.MIN_VALUE}) {
                refused(front, VhostUser.SET_VRING_NUM, ints(0, size));
            }
            for (int index : new int[] {2, 255, -1, Integer.MIN_VALUE}) {
                refused(front, VhostUser.SET_VRING_NUM, ints(index, 16));
                refused(front, VhostUser.SET_VRING_ENABLE, ints(index, 1));
            }
            refused(front, VhostUser.SET_VRING_BASE, ints(0, 0x10000));
            refused(front, VhostUser.SET_VRING_ENABLE, ints(0, 2));
            long user = front.region.userAddress();
            refused(front, VhostUser.SET_VRING_ADDR, payload(0, user + 8, user, user, 0));
            refused(front, VhostUser.SET_VRING_ADDR, payload(0, user, user + 2, user, 0));
            refused(front, VhostUser.SET_VRING_ADDR, payload(0, user, user, user + 1, 0));
            // Outside memory, straddling its end, and wrapping: seen when the ring starts.
            front.frontend.setVringNum(0, 16);
            for (long address : new long[] {0, user - 4096, user + front.region.bytes(), user + front.region.bytes() - 16, -16}) {
                front.frontend.setVringAddr(0, 0, address, user, user, 0);
                assertThatThrownBy(() -> front.frontend.setVringKick(0, front.queue.kickFd())).isInstanceOf(BackendRefusedException.class);
            }
        }
    }

    @Test
    void shouldEndTheConnectionWhenAKickComesBeforeMemorySizeOrAddresses() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.send(VhostUser.SET_VRING_KICK, V1, payload(0), front.queue.kickFd());
            assertHungUp(front);
        }
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.negotiate(RawFrontEnd.FEATURES, 0);
            front.setUpRing();
            front.frontend.send(VhostUser.SET_VRING_KICK, V1, payload(0), front.queue.kickFd());
            assertHungUp(front);
        }
    }

    @Test
    void shouldRefuseChangesToARunningRing() throws IOException {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            refused(front, VhostUser.SET_VRING_NUM, ints(0, 32));
            refused(front, VhostUser.SET_VRING_BASE, ints(0, 5));
            refused(front, VhostUser.SET_VRING_ADDR, payload(0, front.region.userAddress(), front.region.userAddress(), front.region.userAddress(), 0));
            // The same addresses with the flag of a dirty log are no change.
            front.frontend.setVringAddr(0, front.queue.ring());
            assertThat(front.reads()).isTrue();
        }
    }

    @Test
    void shouldRefuseDescriptorsThatAreNoEventfds() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            front.shareMemory();
            front.setUpRing();
            assertThatThrownBy(() -> front.frontend.setVringCall(0, front.region.fd())).isInstanceOf(BackendRefusedException.class);
            assertThatThrownBy(() -> front.frontend.setVringErr(0, front.region.fd())).isInstanceOf(BackendRefusedException.class);
            assertThatThrownBy(() -> front.frontend.setVringKick(0, front.region.fd())).isInstanceOf(BackendRefusedException.class);
        }
    }

    // ---- memory

    @Test
    void shouldRefuseMemoryThatCannotBe() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture);
                Fd small = Fd.adopt(Memfd.create("small", Memfd.MFD_CLOEXEC))) {
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            assertThat(LinuxFile.ftruncate(small.number(), 0x4000)).isZero();
            int fd = small.number();
            refused(front, VhostUser.SET_MEM_TABLE, ints(0, 0));
            refused(front, VhostUser.SET_MEM_TABLE, ints(9, 0));
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x1000, 0, 0));
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0, 0, 0), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x5000, 0, 0), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x4000, 0, 0x1000), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x1000, 0, -0x1000), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x1000, 0, Long.MAX_VALUE), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, -0x800, 0x1000, 0, 0), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x1000, -0x800, 0), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, -1, 0, 0), fd);
            // Overlap in guest, then in front-end addresses.
            refused(front, VhostUser.SET_MEM_TABLE, payload(2, 0, 0x2000, 0x10000, 0, 0x1000, 0x1000, 0x20000, 0), fd, fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(2, 0, 0x2000, 0x10000, 0, 0x8000, 0x1000, 0x11000, 0), fd, fd);
            refused(front, VhostUser.ADD_MEM_REG, payload(0, 0, 0x1000, 0, 0), front.queue.kickFd());
            refused(front, VhostUser.REM_MEM_REG, payload(0, 0, 0x1000, 0, 0));
            // After all that the good one is taken.
            front.shareMemory();
            front.setUpRing();
            front.frontend.setVringKick(0, front.queue.kickFd());
            front.frontend.setVringEnable(0, true);
            assertThat(front.reads()).isTrue();
        }
    }

    /** With the whole address space taken the virtual machine would end with its own next mapping. */
    @Test
    void shouldRefuseMoreMemoryThanAProcessCanSpare() throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(fixture);
                Fd vast = Fd.adopt(Memfd.create("vast", Memfd.MFD_CLOEXEC))) {
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            assertThat(LinuxFile.ftruncate(vast.number(), 1L << 60)).isZero();
            long half = MemoryTable.MAX_MAPPED_BYTES / 2;
            int fd = vast.number();
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 2 * half + 1, 0, 0), fd);
            // What lies before a region in its file is mapped with it.
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x1000, 0, 2 * half), fd);
            refused(front, VhostUser.SET_MEM_TABLE, payload(2, 0, half, 0, 0, half, half + 1, half, 0), fd, fd);
            accepted(front, VhostUser.ADD_MEM_REG, payload(0, 0, half, 0, 0), fd);
            refused(front, VhostUser.ADD_MEM_REG, payload(0, half, half + 0x1000, half, 0), fd);
            accepted(front, VhostUser.ADD_MEM_REG, payload(0, half, half, half, 0), fd);
            refused(front, VhostUser.ADD_MEM_REG, payload(0, 2 * half, 0x1000, 2 * half, 0), fd);
            accepted(front, VhostUser.REM_MEM_REG, payload(0, half, half, half, 0));
            accepted(front, VhostUser.ADD_MEM_REG, payload(0, 2 * half, 0x1000, 2 * half, 0), fd);
        }
    }

    private static void accepted(RawFrontEnd front, int request, MemorySegment payload, int... fds) throws IOException {
        front.frontend.send(request, ACKED, payload, fds);
        assertThat(front.frontend.receive().u64()).as("request %d", request).isZero();
    }

    @Test
    void shouldRefuseMemoryInAnOrdinaryFileUnlessAllowed() throws IOException {
        Path file = Files.createTempFile(Path.of("/var/tmp"), "sluice", "memory");
        try (RawFrontEnd front = new RawFrontEnd(fixture);
                Fd ordinary = LinuxFile.openOrThrow(file.toString(), LinuxFile.O_RDWR, 0)) {
            org.junit.jupiter.api.Assumptions.assumeTrue(
                    LinuxFile.fileSystemType(ordinary.number()) != LinuxFile.TMPFS_MAGIC, "/var/tmp is a tmpfs here");
            assertThat(LinuxFile.ftruncate(ordinary.number(), 0x4000)).isZero();
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            refused(front, VhostUser.SET_MEM_TABLE, payload(1, 0, 0x1000, 0, 0), ordinary.number());
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void shouldBreakOnlyTheQueueWhenItsMemoryIsTruncated() throws Exception {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            assertThat(front.reads()).isTrue();
            assertThat(LinuxFile.ftruncate(front.region.fd(), 0)).isZero();
            assertThat(EventFd.signal(front.queue.kickFd())).isZero();
            ServerFixture.await("the queue is broken", () -> fixture.server.state().rings().getFirst().broken());
            assertThat(fixture.server.state().needsReset()).isTrue();
            ServerFixture.await("err", () -> EventFd.drain(front.queue.errFd()) > 0);
            // The control plane goes on.
            assertThat(front.frontend.queueNum()).isEqualTo(2);
            assertThat(front.frontend.vringBase(0)).isNotNegative();
        }
    }

    @Test
    void shouldSurviveTruncationWhenRequestsAreInFlight() throws Exception {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            fixture.loops.getFirst().run(() -> fixture.sink(0).hold());
            for (int i = 0; i < 4; i++) {
                assertThat(front.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotNegative();
            }
            boolean _ = front.queue.publish();
            ServerFixture.await("in flight", () -> fixture.loops.getFirst().call(() -> fixture.sink(0).inFlight()) == 4);
            assertThat(LinuxFile.ftruncate(front.region.fd(), 0)).isZero();
            // The answers cannot be written: that is found when they are published.
            fixture.loops.getFirst().run(() -> fixture.sink(0).releaseAll());
            ServerFixture.await("the queue is broken", () -> fixture.server.state().rings().getFirst().broken());
        }
    }

    /** In compiled code the fault surfaces late (NativeMemory): the loop has to be hot, and the truncation to hit it anywhere. */
    @Test
    void shouldSurviveTruncationAtAnyMomentOfARunningLoad() throws Exception {
        for (int round = 0; round < 30; round++) {
            try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
                java.util.concurrent.atomic.AtomicLong completed = new java.util.concurrent.atomic.AtomicLong();
                Thread driver = Thread.ofPlatform().start(() -> flushUntilMemoryIsGone(front, completed));
                long enough = round == 0 ? 100_000 : 200 + round * 37L;
                try {
                    ServerFixture.await("load", () -> completed.get() > enough);
                } finally {
                    // Ends the driver too, which has to leave the memory before that is unmapped.
                    assertThat(LinuxFile.ftruncate(front.region.fd(), 0)).isZero();
                    driver.join();
                }
                assertThat(EventFd.signal(front.queue.kickFd())).isZero();
                ServerFixture.await("the queue is broken", () -> fixture.server.state().rings().getFirst().broken());
                assertThat(front.frontend.vringBase(0)).isNotNegative();
            }
        }
    }

    private static void flushUntilMemoryIsGone(RawFrontEnd front, java.util.concurrent.atomic.AtomicLong completed) {
        try {
            while (true) {
                while (front.queue.submit(BlkRequest.T_FLUSH, 0, 0) >= 0) {}
                boolean _ = front.queue.publish();
                completed.addAndGet(front.queue.poll((slot, status, written) -> {}));
                NativeMemory.surfaceFault();
            }
        } catch (InternalError | RuntimeException gone) {
            // SIGBUS, or whatever the driver makes of the garbage.
        }
    }

    @Test
    void shouldWorkAgainWhenABrokenQueueIsStoppedAndStartedAnew() throws Exception {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            breakQueue(front);
            ServerFixture.await("err", front.queue::errSignalled);
            front.frontend.setVringEnable(0, false);
            startAnew(front);
            assertThat(front.reads()).isTrue();
        }
    }

    /** It would carry out what comes behind the lie, and the driver would wait for what came before it. */
    @Test
    void shouldLeaveABrokenQueueBrokenWhenMemoryChanges() throws Exception {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            breakQueue(front);
            long started = fixture.events.started.get();
            front.shareMemory();
            assertThat(fixture.server.state().rings().getFirst().broken()).isTrue();
            assertThat(fixture.server.state().needsReset()).isTrue();
            assertThat(fixture.events.started.get()).isEqualTo(started);
            startAnew(front);
            assertThat(front.reads()).isTrue();
            assertThat(fixture.server.state().rings().getFirst().broken()).isFalse();
        }
    }

    private void breakQueue(RawFrontEnd front) throws Exception {
        front.queue.splitRing().rawAvailIdx(0x4000);
        front.queue.kick();
        ServerFixture.await("the queue is broken", () -> fixture.server.state().rings().getFirst().broken());
    }

    private static void startAnew(RawFrontEnd front) throws IOException {
        int _ = front.frontend.vringBase(0);
        front.queue.reset();
        front.setUpRing();
        front.frontend.setVringKick(0, front.queue.kickFd());
        front.frontend.setVringEnable(0, true);
    }

    // ---- eventfds that do not behave

    @Test
    void shouldNotStopTheLoopWhenACallEventfdIsFullAndBlocking() throws Exception {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            ServerFixture.await("the call of the start", () -> EventFd.drain(front.queue.callFd()) > 0);
            try (NativeBlock full = NativeMemory.allocate(8, 8)) {
                NativeMemory.putLong(full.address(), 0xFFFF_FFFF_FFFF_FFFEL);
                assertThat(LinuxFile.write(front.queue.callFd(), full.address(), 8)).isEqualTo(8);
            }
            assertThat(LinuxFile.setNonBlocking(front.queue.callFd(), false)).isZero();
            for (int i = 0; i < 5; i++) {
                int done = completeOne(front);
                assertThat(done).isEqualTo(1);
            }
            // The loop answers.
            assertThat(fixture.loops.getFirst().call(() -> 7)).isEqualTo(7);
        }
    }

    /** Without waiting for a call, which nobody could see in a full counter. */
    private static int completeOne(RawFrontEnd front) {
        int[] completed = new int[1];
        assertThat(front.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotNegative();
        boolean _ = front.queue.publish();
        ServerFixture.await("completion", () -> front.queue.poll((slot, status, written) -> completed[0]++) > 0 || completed[0] > 0);
        return completed[0];
    }

    // ---- memory and rings that change while there is load

    @Test
    void shouldKeepEveryRequestWhenMemoryChangesUnderLoad() throws Exception {
        try (BlockDriver driver = fixture.open(ServerFixture.options(1))) {
            VerifyingLoad load = new VerifyingLoad(driver.queue(0), 0, 256, 11);
            for (int i = 0; i < 20; i++) {
                load.fill();
                boolean _ = driver.queue(0).publish();
                driver.frontend().setMemTable(driver.memory().regions().toArray(dev.sluice.virtio.driver.MemoryRegion[]::new));
                load.run(50);
            }
            load.drain();
            assertThat(fixture.events.broken.get()).isZero();
        }
    }

    @Test
    void shouldEndTheConnectionWhenARunningRingLosesItsMemory() throws IOException {
        try (RawFrontEnd front = RawFrontEnd.running(fixture);
                dev.sluice.virtio.driver.DriverMemory other = dev.sluice.virtio.driver.DriverMemory.ofOneRegion(1 << 16)) {
            assertThatThrownBy(() -> front.frontend.setMemTable(other.regions().getFirst())).isInstanceOf(IOException.class);
            assertHungUp(front);
        }
    }

    @Test
    void shouldKeepRunningWhenFeaturesAreSetAgain() throws IOException {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            for (int i = 0; i < 10; i++) {
                front.frontend.setFeatures(RawFrontEnd.FEATURES);
                assertThat(front.reads()).isTrue();
            }
            assertThat(fixture.server.state().rings().getFirst().state()).isEqualTo(RingState.ENABLED);
        }
    }

    @Test
    void shouldTakeNothingNewWhileDisabledAndLoseNothing() throws Exception {
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            front.frontend.setVringEnable(0, false);
            int slot = front.queue.submit(BlkRequest.T_IN, 0, 512);
            assertThat(slot).isNotNegative();
            boolean _ = front.queue.publish();
            front.queue.kick();
            // Two trips through the loop: a kick before them has been seen.
            for (int i = 0; i < 2; i++) {
                fixture.loops.getFirst().run(() -> {});
                front.frontend.setFeatures(RawFrontEnd.FEATURES);
            }
            assertThat(front.queue.splitRing().rawUsedIdx()).isZero();
            front.frontend.setVringEnable(0, true);
            assertThat(front.queue.await(Patience.millis(20_000))).isTrue();
        }
    }

    // ---- noise

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void shouldSurviveRandomMessages(long seed) throws Exception {
        System.out.println("random messages: seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int connection = 0; connection < 40; connection++) {
            try (RawFrontEnd front = random.nextBoolean() ? RawFrontEnd.running(fixture) : new RawFrontEnd(fixture)) {
                talkNonsense(front, random);
            } catch (IOException ended) {
                // The server may hang up on nonsense at any message; what it must not do is stop to serve, which the next round sees.
            }
        }
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            assertThat(front.reads()).as("served after the noise of seed " + seed).isTrue();
        }
    }

    private static void talkNonsense(RawFrontEnd front, SplittableRandom random) throws IOException {
        for (int i = 0; i < 30 && !front.frontend.connection().hungUp(); i++) {
            int request = random.nextInt(10) == 0 ? random.nextInt() : random.nextInt(42);
            byte[] bytes = new byte[random.nextInt(4) == 0 ? random.nextInt(300) : 8 * (1 + random.nextInt(5))];
            random.nextBytes(bytes);
            MemorySegment payload = MemorySegment.ofArray(bytes);
            if (bytes.length >= 8 && random.nextInt(4) != 0) {
                payload.set(ValueLayout.JAVA_INT_UNALIGNED, 0, random.nextInt(3));
                payload.set(ValueLayout.JAVA_INT_UNALIGNED, 4, random.nextInt(3) == 0 ? 16 : 0);
            }
            int flags = random.nextInt(8) == 0 ? random.nextInt(16) : ACKED;
            int[] fds = new int[random.nextInt(3) == 0 ? random.nextInt(4) : 0];
            for (int f = 0; f < fds.length; f++) {
                fds[f] = random.nextBoolean() ? front.queue.kickFd() : front.region.fd();
            }
            front.frontend.send(request, flags, payload, fds);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void shouldSurviveRandomRings(long seed) throws Exception {
        System.out.println("random rings: seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int round = 0; round < 40; round++) {
            try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
                for (int i = 0; i < 20; i++) {
                    long words = front.region.bytes() / 8;
                    for (int poke = 0; poke < 200; poke++) {
                        long value = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(64);
                        long at = random.nextInt(3) == 0 ? random.nextLong(words) : random.nextLong(0x400 / 8);
                        front.region.memory().set(ValueLayout.JAVA_LONG, at * 8, value);
                    }
                    front.queue.kick();
                }
                Callable<Integer> answer = () -> 1;
                assertThat(fixture.loops.getFirst().call(answer)).isEqualTo(1);
            }
        }
    }
}
