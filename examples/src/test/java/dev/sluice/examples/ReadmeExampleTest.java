package dev.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's example of BlockDevice: what stands there is what is compiled and run here. */
class ReadmeExampleTest {
    private static final int SIZE = 1 << 20;
    private static final Path SOURCE = Path.of("src/test/java/dev/sluice/examples/ReadmeExampleTest.java");
    private static final Path README = Path.of("../README.md");

    @TempDir
    Path directory = Path.of("/");

    private static long example(Path image) throws IOException {
        CRC32C checksum = new CRC32C();
        // README: begin
        try (BlockDevice device = BlockDevice.open(image, BlockDeviceOptions.defaults())) {
            ByteBuffer block = ByteBuffer.allocateDirect(4096);
            device.read(8192, block)                                // cold: nothing happens before somebody subscribes
                    .flatMap(bytes -> device.write(65536, block.flip()))
                    .then(device.flush())
                    .block();
            device.readRange(0, device.sizeBytes())                 // pooled, aligned buffers; eight reads ahead of what is asked for
                    .doOnNext(buffer -> {
                        try (buffer) {
                            checksum.update(buffer.bytes());
                        }
                    })
                    .blockLast();
            try (SeekableByteChannel channel = device.channel()) {  // any byte, any buffer
                channel.position(777).write(ByteBuffer.wrap("hello".getBytes(StandardCharsets.UTF_8)));
            }
        }
        // README: end
        return checksum.getValue();
    }

    @Test
    void shouldDoWhatItSays() throws IOException {
        Path image = directory.resolve("disk.img");
        byte[] content = new byte[SIZE];
        Arrays.fill(content, 8192, 12288, (byte) 7);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.write(content);
        }
        long checksum = example(image);
        Arrays.fill(content, 65536, 69632, (byte) 7);
        CRC32C expected = new CRC32C();
        expected.update(content);
        assertThat(checksum).isEqualTo(expected.getValue());
        System.arraycopy("hello".getBytes(StandardCharsets.UTF_8), 0, content, 777, 5);
        assertThat(Files.readAllBytes(image)).isEqualTo(content);
    }

    @Test
    void shouldStandInTheReadme() throws IOException {
        List<String> lines = Files.readAllLines(SOURCE);
        String example = String.join("\n", lines.subList(lines.indexOf("        // README: begin") + 1, lines.indexOf("        // README: end")));
        assertThat(Files.readString(README)).contains("```java\n" + example.stripIndent() + "\n```");
    }
}
