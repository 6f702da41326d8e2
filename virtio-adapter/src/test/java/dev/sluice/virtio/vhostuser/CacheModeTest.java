package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.driver.BackendRefusedException;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A server that is started again stands for the restarted process: nothing but the state file is common to both. VIRTIO 1.3 §5.2.5. */
final class CacheModeTest {
    private static final String WRITETHROUGH = "sluice-disk-state 1\ncache writethrough\n";
    private static final String WRITEBACK = "sluice-disk-state 1\ncache writeback\n";

    @TempDir
    private Path directory;

    private Path state() {
        return directory.resolve("disk.state");
    }

    private ServerFixture start() throws IOException {
        return start(CacheMode.GUEST);
    }

    private ServerFixture start(CacheMode mode) throws IOException {
        return ServerFixture.start(1, 1, builder -> builder.cacheMode(mode).stateFile(state()));
    }

    private static void set(BlockDriver driver, int writeback) throws IOException {
        driver.frontend().setConfig(VirtioBlkConfig.WRITEBACK, MemorySegment.ofArray(new byte[] {(byte) writeback}), 0);
    }

    private static int told(BlockDriver driver) throws IOException {
        return driver.frontend().config(VirtioBlkConfig.WRITEBACK, 1).get(ValueLayout.JAVA_BYTE, 0);
    }

    /** Writes a sector and looks whether it is on stable storage when that has completed. */
    private static boolean writesAreDurable(ServerFixture fixture, BlockDriver driver, long sector) throws IOException {
        byte[] ones = new byte[512];
        Arrays.fill(ones, (byte) 1);
        driver.disk(0).write(sector * 512, MemorySegment.ofArray(ones));
        return fixture.backend.durable().asSlice(sector * 512, 512).mismatch(MemorySegment.ofArray(ones)) == -1;
    }

    @Test
    void shouldWriteThroughAfterARestartWhenTheGuestHadTurnedTheCacheOff() throws IOException {
        try (ServerFixture first = start();
                BlockDriver driver = first.open(1)) {
            assertThat(state()).doesNotExist();
            assertThat(writesAreDurable(first, driver, 0)).isFalse();
            set(driver, 0);
            assertThat(state()).hasContent(WRITETHROUGH);
            assertThat(writesAreDurable(first, driver, 1)).isTrue();
        }
        // QEMU sends no SET_CONFIG when it reconnects, and its guest does not flush.
        try (ServerFixture second = start();
                BlockDriver driver = second.open(1)) {
            assertThat(told(driver)).isZero();
            assertThat(writesAreDurable(second, driver, 2)).isTrue();
            set(driver, 1);
            assertThat(state()).hasContent(WRITEBACK);
            assertThat(told(driver)).isOne();
        }
        try (ServerFixture third = start();
                BlockDriver driver = third.open(1)) {
            assertThat(told(driver)).isOne();
            assertThat(writesAreDurable(third, driver, 3)).isFalse();
        }
        try (var left = Files.list(directory)) {
            assertThat(left).containsExactly(state());
        }
    }

    @Test
    void shouldKeepTheModeBesideTheSocketUnlessTold() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = fixture.open(1)) {
            set(driver, 0);
            assertThat(fixture.directory.resolve("s.state")).hasContent(WRITETHROUGH);
        }
    }

    @Test
    void shouldKeepTheModeBesideASocketThatWasInherited() throws IOException {
        Path socket = directory.resolve("inherited");
        UnixSocket listening = UnixSocket.listenAt(socket.toString(), 1);
        int inherited = listening.fd().release();
        try (ServerFixture fixture = ServerFixture.start(1);
                VhostUserServer server = VhostUserServer.builder().pipeline(fixture.pipeline).loops(List.copyOf(fixture.loops)).fd(inherited).build()) {
            server.start();
            try (BlockDriver driver = BlockDriver.open(socket.toString(), ServerFixture.options(1))) {
                set(driver, 0);
                assertThat(directory.resolve("inherited.state")).hasContent(WRITETHROUGH);
                assertThat(writesAreDurable(fixture, driver, 1)).isTrue();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "", "garbage", "sluice-disk-state 2\ncache writeback\n", "sluice-disk-state 1\ncache write", "sluice-disk-state 1\ncache writeback\nmore\n", "\0\0\0\0"
    })
    void shouldWriteThroughWhenTheStateFileCannotBeUnderstood(String content) throws IOException {
        Files.writeString(state(), content);
        try (ServerFixture fixture = start();
                BlockDriver driver = fixture.open(1)) {
            assertThat(told(driver)).isZero();
            assertThat(writesAreDurable(fixture, driver, 0)).isTrue();
            set(driver, 1);
            assertThat(state()).hasContent(WRITEBACK);
            assertThat(writesAreDurable(fixture, driver, 1)).isFalse();
        }
    }

    @Test
    void shouldWriteThroughAndReplaceNothingWhenTheStateFileIsSomethingElse() throws Exception {
        byte[] image = new byte[1 << 20];
        Files.write(state(), image);
        try (ServerFixture fixture = start();
                BlockDriver driver = fixture.open(1)) {
            assertThat(writesAreDurable(fixture, driver, 0)).isTrue();
            assertThatThrownBy(() -> set(driver, 1)).isInstanceOf(BackendRefusedException.class);
            assertThat(writesAreDurable(fixture, driver, 1)).isTrue();
        }
        assertThat(state()).hasBinaryContent(image);
        Files.delete(state());
        assertThat(new ProcessBuilder("mkfifo", state().toString()).start().waitFor()).isZero();
        try (ServerFixture fixture = start();
                BlockDriver driver = fixture.open(1)) {
            assertThat(writesAreDurable(fixture, driver, 0)).isTrue();
        }
    }

    @Test
    void shouldRefuseAndBeDurableWhenWriteThroughCannotBeSaved() throws IOException {
        try (ServerFixture fixture = start();
                BlockDriver driver = fixture.open(1)) {
            // What only root could not be refused otherwise: a directory in the place of the file.
            Files.createDirectory(state());
            assertThatThrownBy(() -> set(driver, 0)).isInstanceOf(BackendRefusedException.class);
            // It goes on flushing, which is what counts after a restart; writes are durable meanwhile for a guest that does not look.
            assertThat(told(driver)).isOne();
            assertThat(writesAreDurable(fixture, driver, 1)).isTrue();
            Files.delete(state());
            set(driver, 1);
            assertThat(writesAreDurable(fixture, driver, 2)).isFalse();
        }
    }

    @Test
    void shouldStayWriteThroughWhenWritebackCannotBeSaved() throws IOException {
        try (ServerFixture fixture = start();
                BlockDriver driver = fixture.open(1)) {
            set(driver, 0);
            Files.delete(state());
            Files.createDirectory(state());
            assertThatThrownBy(() -> set(driver, 1)).isInstanceOf(BackendRefusedException.class);
            assertThat(told(driver)).isZero();
            assertThat(writesAreDurable(fixture, driver, 1)).isTrue();
            Files.delete(state());
        }
    }

    @Test
    void shouldGoOnWhenTheModeCannotBeSavedAndNobodyAsksForAnAnswer() throws IOException {
        try (ServerFixture fixture = start();
                RawFrontEnd raw = new RawFrontEnd(fixture)) {
            raw.negotiate(RawFrontEnd.FEATURES, VhostUser.PROTOCOL_F_CONFIG);
            raw.shareMemory();
            raw.setUpRing();
            raw.frontend.setVringKick(0, raw.queue.kickFd());
            raw.frontend.setVringEnable(0, true);
            Files.createDirectory(state());
            raw.frontend.setConfig(VirtioBlkConfig.WRITEBACK, MemorySegment.ofArray(new byte[1]), 0);
            assertThat(raw.reads()).isTrue();
            Files.delete(state());
        }
    }

    @Test
    void shouldOfferNeitherFlushNorTheChoiceWhenWriteThroughIsFixed() throws IOException {
        Files.writeString(state(), WRITEBACK);
        try (ServerFixture fixture = start(CacheMode.WRITETHROUGH);
                BlockDriver driver = fixture.open(1)) {
            assertThat(fixture.server.state().offeredFeatures() & (VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE)).isZero();
            assertThat(writesAreDurable(fixture, driver, 0)).isTrue();
            assertThatThrownBy(() -> set(driver, 1)).isInstanceOf(BackendRefusedException.class);
            assertThat(writesAreDurable(fixture, driver, 1)).isTrue();
        }
        assertThat(state()).hasContent(WRITEBACK);
    }

    @Test
    void shouldOfferFlushAloneWhenWritebackIsFixed() throws IOException {
        Files.writeString(state(), WRITETHROUGH);
        try (ServerFixture fixture = start(CacheMode.WRITEBACK);
                BlockDriver driver = fixture.open(1)) {
            assertThat(fixture.server.state().offeredFeatures() & VirtioFeatures.BLK_FLUSH).isNotZero();
            assertThat(fixture.server.state().offeredFeatures() & VirtioFeatures.BLK_CONFIG_WCE).isZero();
            assertThat(writesAreDurable(fixture, driver, 0)).isFalse();
            driver.disk(0).flush();
            assertThat(fixture.backend.durable().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
            assertThatThrownBy(() -> set(driver, 0)).isInstanceOf(BackendRefusedException.class);
        }
        assertThat(state()).hasContent(WRITETHROUGH);
    }

    /** Its front end reconnects and repeats what the driver had accepted when there was a choice. */
    @ParameterizedTest
    @ValueSource(strings = {"WRITEBACK", "WRITETHROUGH"})
    void shouldServeARunningGuestDurablyWhenItsModeWasFixedMeanwhile(CacheMode mode) throws IOException {
        try (ServerFixture fixture = start(mode);
                RawFrontEnd raw = RawFrontEnd.running(fixture)) {
            assertThat(raw.reads()).isTrue();
            assertThat(fixture.server.state().acceptedFeatures() & VirtioFeatures.BLK_CONFIG_WCE).isNotZero();
        }
        VirtioBlkDevice device = new VirtioBlkDevice(() -> new BlockGeometry(1 << 20, 512, 512, 0, false, true, true), 1, 126, mode, "");
        device.accept(VirtioFeatures.VERSION_1 | VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE);
        assertThat(device.writeThrough()).isTrue();
        device.reset();
        device.accept(device.offered());
        assertThat(device.writeThrough()).isEqualTo(mode == CacheMode.WRITETHROUGH);
    }
}
