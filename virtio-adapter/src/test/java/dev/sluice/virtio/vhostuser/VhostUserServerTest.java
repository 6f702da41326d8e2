package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.FrontEndObserver.ConnectionEvent;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.BlockingDisk;
import dev.sluice.virtio.driver.DriverQueue;
import dev.sluice.virtio.driver.VerifyingLoad;
import dev.sluice.virtio.driver.VhostUserFrontend;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a well-behaved front end sees. */
final class VhostUserServerTest {
    private static final int BLOCKS_PER_QUEUE = 256;

    @Test
    void shouldServeEveryRequestTypeWhenAFrontEndConnects() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = fixture.open(1)) {
            BlockingDisk disk = driver.disk(0);
            byte[] pattern = new byte[8192];
            java.util.Arrays.fill(pattern, (byte) 0x5A);
            disk.write(4096, MemorySegment.ofArray(pattern));
            disk.flush();
            assertThat(fixture.backend.durable().asSlice(4096, 8192).mismatch(MemorySegment.ofArray(pattern))).isEqualTo(-1);
            byte[] read = new byte[8192];
            disk.read(4096, MemorySegment.ofArray(read));
            assertThat(read).isEqualTo(pattern);
            disk.discard(8, 8);
            disk.writeZeroes(16, 8, true);
            disk.read(4096, MemorySegment.ofArray(read));
            assertThat(read).containsOnly(0);
            assertThat(disk.id()).isEqualTo("sluice-test-serial");
            assertThat(driver.config().capacityBytes()).isEqualTo(ServerFixture.DISK_BYTES);
        }
    }

    @Test
    void shouldTellWhoIsConnectedAndWhenItGoes() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(2)) {
            VhostUserServer.State before = fixture.server.state();
            assertThat(before.connected()).isFalse();
            assertThat(before.offeredFeatures() & VirtioFeatures.BLK_MQ).isNotZero();
            try (BlockDriver driver = fixture.open(2)) {
                driver.disk(1).write(0, MemorySegment.ofArray(new byte[4096]));
                VhostUserServer.State state = fixture.server.state();
                assertThat(state.peerPid()).isEqualTo((int) ProcessHandle.current().pid());
                assertThat(state.peerUid()).isEqualTo(Files.getAttribute(fixture.directory, "unix:uid"));
                assertThat(state.acceptedFeatures() & VirtioFeatures.VERSION_1).isNotZero();
                assertThat(state.acceptedFeatures() & ~state.offeredFeatures()).isZero();
                assertThat(state.protocolFeatures() & VhostUser.PROTOCOL_F_CONFIG).isNotZero();
                assertThat(fixture.events.connections).containsExactly(ConnectionEvent.CONNECTED);
                assertThat(fixture.events.taken).hasValue(1);
            }
            ServerFixture.await("the end of the connection", () -> fixture.events.connections.size() == 2);
            assertThat(fixture.events.connections).containsExactly(ConnectionEvent.CONNECTED, ConnectionEvent.DISCONNECTED);
            try (VhostUserFrontend liar = VhostUserFrontend.connect(fixture.socket.toString(), Duration.ofSeconds(Patience.seconds(20)))) {
                liar.setFeatures(1L << 60);
                ServerFixture.await("the liar is cut off", () -> fixture.events.connections.size() == 4);
            }
            assertThat(fixture.events.connections).endsWith(ConnectionEvent.CONNECTED, ConnectionEvent.VIOLATION);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.EVENT_IDX, VirtioFeatures.INDIRECT_DESC, VirtioFeatures.EVENT_IDX | VirtioFeatures.INDIRECT_DESC})
    void shouldKeepDataWhenFourQueuesOnTwoLoopsRunAtFullDepth(long without) throws Exception {
        try (ServerFixture fixture = ServerFixture.start(4, 2, builder -> builder)) {
            try (BlockDriver driver = fixture.open(ServerFixture.options(4).withoutFeatures(without))) {
                runOnAllQueues(driver, 3000, without);
                for (DriverQueue queue : driver.queues()) {
                    assertThat(queue.errSignalled()).isFalse();
                }
                assertThat(fixture.server.state().rings()).extracting(VhostUserServer.RingSnapshot::state).containsOnly(RingState.ENABLED);
            }
            ServerFixture.await("disconnect", () -> !fixture.server.state().connected());
            assertThat(fixture.events.broken.get()).isZero();
            assertThat(fixture.events.malformed.get()).isZero();
            assertThat(fixture.events.stopped.get()).isEqualTo(4);
        }
    }

    private static void runOnAllQueues(BlockDriver driver, int requests, long seed) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(driver.queueCount())) {
            List<Future<?>> running = new ArrayList<>();
            for (DriverQueue queue : driver.queues()) {
                VerifyingLoad load = new VerifyingLoad(queue, queue.index() * BLOCKS_PER_QUEUE, BLOCKS_PER_QUEUE, seed + queue.index());
                running.add(threads.submit(() -> {
                    load.run(requests);
                    load.drain();
                }));
            }
            for (Future<?> one : running) {
                one.get(Patience.seconds(60), TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void shouldServeWithoutProtocolFeaturesWhenRingsStartEnabled() throws IOException {
        // vhost-user, "Ring states": a front end that never sets bit 30 sends no SET_VRING_ENABLE (QEMU before 7.2).
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.setFeatures(RawFrontEnd.FEATURES & ~VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES);
            front.shareMemory();
            front.setUpRing();
            front.frontend.setVringKick(0, front.queue.kickFd());
            assertThat(front.reads()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS, VhostUser.PROTOCOL_F_REPLY_ACK, VhostUser.PROTOCOL_F_MQ})
    void shouldServeWhenAProtocolFeatureIsMissing(long without) throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = fixture.open(ServerFixture.options(1).withoutProtocolFeatures(without))) {
            driver.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
            driver.disk(0).flush();
            assertThat(fixture.server.state().connected()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.EVENT_IDX})
    void shouldPollWhenThereIsNoKickDescriptor(long more) throws Exception {
        // vhost-user, "SET_VRING_KICK": without a descriptor "polling should be used instead of waiting for the kick".
        long features = RawFrontEnd.FEATURES | more;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture, features)) {
            front.negotiate(features, RawFrontEnd.PROTOCOL_FEATURES);
            front.shareMemory();
            front.setUpRing();
            front.frontend.setVringKickNone(0);
            front.frontend.setVringEnable(0, true);
            for (int i = 0; i < 50; i++) {
                assertThat(front.reads()).isTrue();
            }
            assertThat(fixture.events.kicks.get()).isZero();
            // And back: from now on the descriptor counts.
            front.frontend.setVringKick(0, front.queue.kickFd());
            assertThat(front.reads()).isTrue();
            front.frontend.setVringKickNone(0);
            assertThat(front.reads()).isTrue();
            assertThat(front.frontend.vringBase(0)).isEqualTo(52);
        }
    }

    @Test
    void shouldGoOnWhereItStoppedWhenTheFrontEndRestarts() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = fixture.open(1)) {
            VerifyingLoad load = new VerifyingLoad(driver.queue(0), 0, BLOCKS_PER_QUEUE, 7);
            for (int round = 0; round < 20; round++) {
                load.run(100);
                driver.restart();
            }
            load.drain();
            driver.reset();
            driver.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
            assertThat(fixture.events.started.get()).isEqualTo(22);
            assertThat(fixture.events.broken.get()).isZero();
        }
    }

    @Test
    void shouldAcknowledgeTheVeryMessageThatTurnsAcknowledgementsOn() throws IOException {
        int wanted = VhostUser.VERSION | VhostUser.FLAG_NEED_REPLY;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture)) {
            front.frontend.send(VhostUser.SET_PROTOCOL_FEATURES, wanted, MemorySegment.ofArray(new long[] {VhostUser.PROTOCOL_F_REPLY_ACK}));
            assertThat(front.frontend.receive().u64()).isZero();
            // Off again, nobody is asked; a message that has a reply of its own has no other.
            front.frontend.send(VhostUser.SET_PROTOCOL_FEATURES, wanted, MemorySegment.ofArray(new long[] {0}));
            front.frontend.send(VhostUser.GET_QUEUE_NUM, wanted, MemorySegment.ofArray(new long[0]));
            assertThat(front.frontend.receive().u64()).isEqualTo(1);
        }
    }

    /** vhost-user, "VHOST_USER_PROTOCOL_F_REPLY_ACK": messages that have a reply of their own get no other. */
    @Test
    void shouldReplyOnceWhenAMessageWithAReplyOfItsOwnAsksForOne() throws IOException {
        int wanted = VhostUser.VERSION | VhostUser.FLAG_NEED_REPLY;
        try (ServerFixture fixture = ServerFixture.start(3);
                RawFrontEnd front = RawFrontEnd.running(fixture)) {
            MemorySegment config = MemorySegment.ofArray(new byte[VhostUser.CONFIG_HEADER_SIZE + 8]);
            VhostUser.u32(config, 4, 8);
            for (int request : new int[] {VhostUser.GET_FEATURES, VhostUser.GET_PROTOCOL_FEATURES, VhostUser.GET_MAX_MEM_SLOTS, VhostUser.GET_CONFIG,
                VhostUser.GET_VRING_BASE}) {
                MemorySegment payload = switch (request) {
                    case VhostUser.GET_CONFIG -> config;
                    case VhostUser.GET_VRING_BASE -> MemorySegment.ofArray(new int[] {0, 0});
                    default -> MemorySegment.ofArray(new long[0]);
                };
                front.frontend.send(request, wanted, payload);
                front.frontend.send(VhostUser.GET_QUEUE_NUM, wanted, MemorySegment.ofArray(new long[0]));
                var _ = front.frontend.receive();
                assertThat(front.frontend.receive().u64()).as("the reply behind that to request " + request).isEqualTo(3);
            }
        }
    }

    @Test
    void shouldServeTheNextFrontEndWhenOneHasGone() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(2)) {
            for (int i = 0; i < 5; i++) {
                try (BlockDriver driver = fixture.open(2)) {
                    byte[] block = new byte[512];
                    block[0] = (byte) i;
                    driver.disk(i % 2).write(0, MemorySegment.ofArray(block));
                }
                assertThat(fixture.backend.visible().get(java.lang.foreign.ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) i);
            }
        }
    }

    @Test
    void shouldServeSeveralDevicesWhenTheyShareALoop() throws IOException {
        try (ServerFixture one = ServerFixture.start(2);
                VhostUserServer other = VhostUserServer.builder()
                        .socketPath(one.directory.resolve("other"))
                        .pipeline(one.pipeline)
                        .loops(List.copyOf(one.loops))
                        .build()) {
            other.start();
            try (BlockDriver first = one.open(2);
                    BlockDriver second = BlockDriver.open(one.directory.resolve("other").toString(), ServerFixture.options(1))) {
                first.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
                second.disk(0).write(512, MemorySegment.ofArray(new byte[512]));
                assertThat(second.queueCount()).isEqualTo(1);
            }
        }
    }

    @Test
    void shouldWriteThroughWhenFlushIsNotNegotiatedOrTheCacheIsOff() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            byte[] ones = new byte[512];
            java.util.Arrays.fill(ones, (byte) 1);
            try (BlockDriver driver = fixture.open(ServerFixture.options(1)
                    .withoutFeatures(VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE))) {
                driver.disk(0).write(0, MemorySegment.ofArray(ones));
                assertThat(fixture.backend.durable().asSlice(0, 512).mismatch(MemorySegment.ofArray(ones))).isEqualTo(-1);
            }
            try (BlockDriver driver = fixture.open(1)) {
                driver.disk(0).write(512, MemorySegment.ofArray(ones));
                assertThat(fixture.backend.durable().asSlice(512, 512).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)).containsOnly(0);
                driver.frontend().setConfig(32, MemorySegment.ofArray(new byte[1]), 0);
                driver.disk(0).write(1024, MemorySegment.ofArray(ones));
                assertThat(fixture.backend.durable().asSlice(1024, 512).mismatch(MemorySegment.ofArray(ones))).isEqualTo(-1);
            }
            // A front end that comes back after a lost connection does not say it again.
            try (BlockDriver driver = fixture.open(1)) {
                driver.disk(0).write(2048, MemorySegment.ofArray(ones));
                assertThat(fixture.backend.durable().asSlice(2048, 512).mismatch(MemorySegment.ofArray(ones))).isEqualTo(-1);
            }
        }
    }

    @Test
    void shouldRefuseChangesWhenTheDiskIsReadOnly() throws IOException {
        try (ServerFixture fixture = ServerFixture.readOnly();
                BlockDriver driver = fixture.open(1)) {
            assertThat(driver.has(VirtioFeatures.BLK_RO)).isTrue();
            assertThat(driver.has(VirtioFeatures.BLK_DISCARD)).isFalse();
            assertThatThrownBy(() -> driver.disk(0).write(0, MemorySegment.ofArray(new byte[512])))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(BlkRequest.statusName(BlkRequest.S_IOERR));
            driver.disk(0).read(0, MemorySegment.ofArray(new byte[512]));
        }
    }

    @Test
    void shouldAnswerAnyPartOfTheConfigurationSpace() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = fixture.open(1)) {
            for (int size : new int[] {1, 36, 48, 57, 60, 96, 97, 256}) {
                assertThat(driver.frontend().config(0, size).byteSize()).isEqualTo(size);
            }
            assertThat(driver.frontend().config(95, 1).byteSize()).isEqualTo(1);
            assertThat(driver.frontend().config(250, 6).byteSize()).isEqualTo(6);
            // Behind the structure there is nothing.
            assertThat(driver.frontend().config(96, 160).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)).containsOnly(0);
            // vhost-user, "GET_CONFIG": an empty payload means an error.
            assertThatThrownBy(() -> driver.frontend().config(250, 7)).isInstanceOf(IOException.class);
            assertThat(driver.frontend().config(0, 8).byteSize()).isEqualTo(8);
        }
    }

    @Test
    void shouldDrainAndFreeEverythingWhenClosedWithRequestsInFlight() throws Exception {
        ServerFixture fixture = ServerFixture.start(1);
        BlockDriver driver = fixture.open(BlockDriverOptions.defaults());
        fixture.loops.getFirst().run(() -> fixture.sink(0).hold());
        DriverQueue queue = driver.queue(0);
        for (int i = 0; i < 10; i++) {
            assertThat(queue.submit(BlkRequest.T_OUT, i, 512)).isNotNegative();
        }
        boolean _ = queue.publish();
        ServerFixture.await("submission", () -> fixture.loops.getFirst().call(() -> fixture.sink(0).inFlight()) == 10);
        Thread closer = Thread.ofPlatform().start(fixture.server::close);
        // It waits for the backend: guest memory stays mapped as long as the kernel may write to it.
        assertThat(closer.join(java.time.Duration.ofMillis(200))).isFalse();
        fixture.loops.getFirst().run(() -> fixture.sink(0).releaseAll());
        closer.join();
        int[] completed = new int[1];
        int _ = queue.poll((slot, status, written) -> completed[0]++);
        assertThat(completed[0]).isEqualTo(10);
        driver.close();
        fixture.close();
    }
}
