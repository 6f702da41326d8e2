package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Mapping;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.BackendRefusedException;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.DriverMemory;
import dev.sluice.virtio.driver.MemoryRegion;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory that comes while rings run, from anywhere in its file, and leaves with the connection. */
final class AddedMemoryTest {
    private static final long GUEST = 1L << 40;
    private static final int BYTES = 1 << 16;

    private static int status(RawFrontEnd front, int type, long address, int bytes) {
        assertThat(front.queue.submit(type, 0, address, bytes)).isNotNegative();
        boolean _ = front.queue.publish();
        assertThat(front.queue.await(Patience.millis(20_000))).isTrue();
        int[] result = new int[1];
        int _ = front.queue.poll((slot, status, written) -> result[0] = status);
        return result[0];
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void shouldUseARegionThatIsAddedWhileARingRuns(int pagesBefore) throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = RawFrontEnd.running(fixture);
                DriverMemory more = new DriverMemory(BYTES)) {
            MemoryRegion region = more.addRegion(GUEST, BYTES, (long) pagesBefore * Mapping.pageBytes());
            assertThat(status(front, BlkRequest.T_OUT, GUEST, 512)).as("before it is there").isEqualTo(BlkRequest.S_IOERR);
            front.frontend.addMemReg(region);
            region.memory().asSlice(0, 512).fill((byte) 0x31);
            region.memory().asSlice(BYTES - 512, 512).fill((byte) 0x32);
            assertThat(status(front, BlkRequest.T_OUT, GUEST, 512)).isEqualTo(BlkRequest.S_OK);
            assertThat(fixture.backend.visible().get(ValueLayout.JAVA_BYTE, 511)).isEqualTo((byte) 0x31);
            assertThat(status(front, BlkRequest.T_OUT, GUEST + BYTES - 512, 512)).isEqualTo(BlkRequest.S_OK);
            assertThat(fixture.backend.visible().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x32);
            front.frontend.remMemReg(region);
            assertThat(status(front, BlkRequest.T_OUT, GUEST, 512)).as("after it has gone").isEqualTo(BlkRequest.S_IOERR);
        }
    }

    @Test
    void shouldRefuseOverlapWhicheverRegionComesFirst() throws IOException {
        long[][] pairs = {{GUEST, GUEST + BYTES / 2}, {GUEST + BYTES / 2, GUEST}, {GUEST, GUEST}};
        for (long[] pair : pairs) {
            try (ServerFixture fixture = ServerFixture.start(1);
                    RawFrontEnd front = RawFrontEnd.running(fixture);
                    DriverMemory one = new DriverMemory(BYTES);
                    DriverMemory other = new DriverMemory(BYTES)) {
                front.frontend.addMemReg(one.addRegion(pair[0], BYTES));
                MemoryRegion overlapping = other.addRegion(pair[1], BYTES);
                assertThatThrownBy(() -> front.frontend.addMemReg(overlapping)).isInstanceOf(BackendRefusedException.class);
                assertThat(front.reads()).isTrue();
            }
        }
    }

    private static long mappings() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("memfd:sluice-driver")).count();
        }
    }

    @Test
    void shouldUnmapARegionThatWasRemovedAndOneThatWasRefused() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = RawFrontEnd.running(fixture);
                DriverMemory one = new DriverMemory(BYTES);
                DriverMemory other = new DriverMemory(BYTES)) {
            MemoryRegion added = one.addRegion(GUEST, BYTES);
            MemoryRegion overlapping = other.addRegion(GUEST + BYTES / 2, BYTES);
            long before = mappings();
            front.frontend.addMemReg(added);
            assertThat(mappings()).isEqualTo(before + 1);
            assertThatThrownBy(() -> front.frontend.addMemReg(overlapping)).isInstanceOf(BackendRefusedException.class);
            assertThat(mappings()).as("refused").isEqualTo(before + 1);
            front.frontend.remMemReg(added);
            assertThat(mappings()).as("removed").isEqualTo(before);
            front.frontend.addMemReg(overlapping);
            front.frontend.remMemReg(overlapping);
            assertThat(mappings()).as("another one").isEqualTo(before);
        }
    }

    @Test
    void shouldUnmapEverythingWhenTheConnectionEnds() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            long before = mappings();
            for (int i = 0; i < 3; i++) {
                try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
                    assertThat(mappings()).isGreaterThan(before);
                    assertThat(front.reads()).isTrue();
                }
                ServerFixture.await("disconnect", () -> !fixture.server.state().connected());
                assertThat(mappings()).isEqualTo(before);
            }
        }
    }
}
