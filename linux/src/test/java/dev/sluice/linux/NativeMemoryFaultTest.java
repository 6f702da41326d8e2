package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NativeMemoryFaultTest {
    @TempDir
    Path directory;

    @Test
    void shouldSurfaceAsInternalErrorWhenInterpreted() throws IOException, InterruptedException {
        assertAllSurface("-Xint", "-Dwarm-up=2");
    }

    @Test
    void shouldSurfaceAsInternalErrorWhenCompiledByC1() throws IOException, InterruptedException {
        assertAllSurface("-XX:TieredStopAtLevel=1", "-Dwarm-up=2000");
    }

    /** How loops are compiled, and where they poll, differs between collectors. */
    @ParameterizedTest
    @ValueSource(strings = {"-XX:+UseSerialGC", "-XX:+UseG1GC", "-XX:+UseZGC"})
    void shouldSurfaceAsInternalErrorWhenCompiledByC2(String collector) throws IOException, InterruptedException {
        assertAllSurface("-XX:-TieredCompilation", "-XX:CompileThreshold=1000", "-Dwarm-up=2000", collector);
    }

    private void assertAllSurface(String... mode) throws IOException, InterruptedException {
        String[] options = Stream.concat(Stream.of("--enable-native-access=ALL-UNNAMED", "-Xbatch"), Stream.of(mode)).toArray(String[]::new);
        ChildJvm child = ChildJvm.run(directory, TruncatedMapping.class, options);
        assertThat(child.output()).contains("all surfaced");
        assertThat(child.exitCode()).isZero();
    }
}
