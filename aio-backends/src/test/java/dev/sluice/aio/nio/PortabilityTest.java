package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device where there is no Linux: a JVM is told that it runs on another system. That is not that system, but what would fail there first is seen. */
class PortabilityTest {
    /** What of dev.sluice.linux is about memory and the JVM alone, beside the question whether this is Linux. */
    private static final Set<String> PORTABLE =
            Set.of("NativeMemory", "NativeBlock", "Iovec", "LinuxPlatform", "LinuxUnavailableException", "Errno", "ErrnoException");

    private static final Pattern LOADED = Pattern.compile("\\] (dev\\.sluice\\.linux|io\\.netty)\\.([\\w.$]+) source:");

    @TempDir
    Path directory = Path.of("/");

    @Test
    void shouldServeADeviceWithoutLinuxAndWithoutNetty() throws IOException, InterruptedException {
        Path image = directory.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(1 << 20);
        }
        Process child = new ProcessBuilder(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Dos.name=Mac OS X", "--enable-native-access=ALL-UNNAMED",
                "-Xlog:class+load", "-Dorg.slf4j.simpleLogger.log.dev.sluice=info", "-Dorg.slf4j.simpleLogger.logFile=System.out",
                "-cp", System.getProperty("java.class.path"),
                PortableDevice.class.getName(), image.toString()))
                .redirectErrorStream(true)
                .start();
        String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        String said = String.join("\n", output.lines().filter(line -> !line.contains("[class,load]")).toList());
        assertThat(child.waitFor()).as(said).isZero();
        assertThat(said).contains("as written").contains("backend nio on loop thread").contains("io_uring: Sluice needs Linux");
        Set<String> loaded = new TreeSet<>();
        Matcher lines = LOADED.matcher(output);
        while (lines.find()) {
            loaded.add(lines.group(1).equals("io.netty") ? "io.netty." + lines.group(2) : lines.group(2).replaceAll("\\$.*", ""));
        }
        assertThat(loaded).contains("NativeMemory");
        loaded.removeAll(PORTABLE);
        assertThat(loaded).as("what would not load elsewhere").isEmpty();
    }
}
