package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeMemoryFaultTest {
    @TempDir Path directory;

    @Test
    void shouldSurfaceAsInternalErrorWhenInterpreted() throws IOException, InterruptedException {
        assertAllSurface("-Xint", "-Dwarm-up=2");
    }

    @Test
    void shouldSurfaceAsInternalErrorWhenCompiledByC1() throws IOException, InterruptedException {
        assertAllSurface("-XX:TieredStopAtLevel=1", "-Dwarm-up=2000");
    }

    @Test
    void shouldSurfaceAsInternalErrorWhenCompiledByC2() throws IOException, InterruptedException {
        assertAllSurface("-XX:-TieredCompilation", "-Dwarm-up=15000");
    }

    private void assertAllSurface(String... mode) throws IOException, InterruptedException {
        ChildJvm child =
                ChildJvm.run(
                        directory, TruncatedMapping.class, "--enable-native-access=ALL-UNNAMED", "-Xbatch", mode[0], mode[1]);
        assertThat(child.output()).contains("all surfaced");
        assertThat(child.exitCode()).isZero();
    }
}
