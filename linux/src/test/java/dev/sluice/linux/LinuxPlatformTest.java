package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinuxPlatformTest {
    @TempDir
    Path directory;

    /** What a launcher does first. */
    static final class Launcher {
        private Launcher() {}

        public static void main(String[] arguments) {
            try {
                LinuxPlatform.ensureAvailable();
                System.out.println("available");
            } catch (LinuxUnavailableException e) {
                System.out.println(e.getMessage());
            }
        }
    }

    @Test
    void shouldBeAvailableWhenNativeAccessIsEnabled() {
        assertThatCode(LinuxPlatform::ensureAvailable).doesNotThrowAnyException();
    }

    @Test
    void shouldSayInOneLineWhatToDoWhenNativeAccessIsDenied() throws IOException, InterruptedException {
        ChildJvm child = ChildJvm.run(directory, Launcher.class, "--illegal-native-access=deny");
        assertThat(child.output().strip())
                .isEqualTo(
                        "Sluice calls Linux through java.lang.foreign, which this JVM denies:"
                                + " run java with --enable-native-access=ALL-UNNAMED");
        assertThat(child.exitCode()).isZero();
    }

    @Test
    void shouldSayWhatItNeedsWhenTheSystemIsAnother() throws IOException, InterruptedException {
        ChildJvm child =
                ChildJvm.run(directory, Launcher.class, "--enable-native-access=ALL-UNNAMED", "-Dos.arch=riscv64");
        assertThat(child.output().strip())
                .isEqualTo("Sluice needs Linux on x86_64 or aarch64; this is Linux on riscv64");
    }
}
