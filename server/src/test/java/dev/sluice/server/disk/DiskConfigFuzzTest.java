package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A file of disks may hold anything: disks that can be told apart, or one error that names the file. The input is the file. */
class DiskConfigFuzzTest {
    @FuzzTest(maxDuration = "2m")
    void shouldReadOrRefuseWhenAFileIsAnything(byte[] input) throws IOException {
        Path file = Files.createTempFile("sluice-fuzz", ".yaml");
        try {
            Files.write(file, input);
            List<DiskSpec> disks;
            try {
                disks = DiskConfig.read(file);
            } catch (IOException refused) {
                assertThat(refused).hasMessageStartingWith(file.toString());
                return;
            }
            assertThat(disks.size()).as("each disk takes some bytes").isLessThan(input.length);
            assertThat(disks).extracting(DiskSpec::name).doesNotHaveDuplicates().allMatch(DiskSpec::isName);
            assertThat(disks).extracting(DiskSpec::endpoint).doesNotHaveDuplicates();
            for (DiskSpec disk : disks) {
                assertThat(disk.queues()).isBetween(1, 256);
                assertThat(Integer.bitCount(disk.queueSize())).isEqualTo(1);
            }
            assertThat(DiskConfig.read(file)).as("read again").isEqualTo(disks);
        } finally {
            Files.delete(file);
        }
    }
}
