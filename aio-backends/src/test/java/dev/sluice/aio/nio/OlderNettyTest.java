package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A program that has brought Netty 4.1, as one with Spring Boot 3 does. */
class OlderNettyTest {
    /** Copied there by the build. */
    private static final Path OLDER = Path.of("target", "netty-4.1");

    @TempDir
    Path directory = Path.of("/");

    @Test
    void shouldServeADeviceWithTheJdkAloneWhenNettyIsOlder() throws IOException, InterruptedException {
        assertThat(outputOf(PortableDevice.class))
                .contains("as written")
                .contains("backend nio on loop thread")
                .contains("Netty 4.2 is needed, and the class path has 4.1.")
                .contains("netty.version")
                .doesNotContain("NoClassDefFoundError");
    }

    /** A disk put together by hand needs the ring that it names. */
    @Test
    void shouldRefuseADiskInOneLineWhenNettyIsOlder() throws IOException, InterruptedException {
        assertThat(outputOf(DiskByHand.class).lines())
                .singleElement(InstanceOfAssertFactories.STRING)
                .startsWith("no disk: Netty 4.2 is needed, and the class path has 4.1.")
                .contains("netty.version");
    }

    private String outputOf(Class<?> program) throws IOException, InterruptedException {
        Path image = directory.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(1 << 20);
        }
        Process child = new ProcessBuilder(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
                "-Dorg.slf4j.simpleLogger.log.dev.sluice=info", "-Dorg.slf4j.simpleLogger.logFile=System.out",
                "-cp", classPath(), program.getName(), image.toString()))
                .redirectErrorStream(true)
                .start();
        String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(child.waitFor()).as(output).isZero();
        return output;
    }

    /** Ours without Netty 4.2's core and epoll; its io_uring classes, which 4.1 does not have, stay. */
    private static String classPath() throws IOException {
        List<String> entries = new ArrayList<>();
        try (Stream<Path> jars = Files.list(OLDER)) {
            jars.map(Path::toString).sorted().forEach(entries::add);
        }
        assertThat(entries).as("Netty 4.1 in %s, which the build copies there", OLDER).isNotEmpty();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            String name = Path.of(entry).getFileName().toString();
            if (!name.startsWith("netty-") || name.contains("io_uring")) {
                entries.add(entry);
            }
        }
        return String.join(File.pathSeparator, entries);
    }
}
