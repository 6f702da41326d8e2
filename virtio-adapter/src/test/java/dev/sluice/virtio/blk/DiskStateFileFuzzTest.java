package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A state file may hold anything: only the text that Sluice itself writes for it is writeback, and reading changes nothing. The input is the file. */
final class DiskStateFileFuzzTest {
    private static final byte[] WRITEBACK = "sluice-disk-state 1\ncache writeback\n".getBytes(StandardCharsets.ISO_8859_1);

    @FuzzTest(maxDuration = "2m")
    void shouldBeWriteThroughWhenAFileIsAnythingElse(byte[] input) throws IOException {
        Path path = Files.createTempFile("sluice-fuzz", ".state");
        try {
            Files.write(path, input);
            assertThat(new DiskStateFile(path).writeback()).isEqualTo(java.util.Arrays.equals(input, WRITEBACK));
            assertThat(Files.readAllBytes(path)).isEqualTo(input);
        } finally {
            Files.delete(path);
        }
    }
}
