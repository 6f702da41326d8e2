package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class SinkContractsTest {
    private static final Path TEST_CLASSES = Path.of("target/test-classes");

    @Test
    void shouldNameTheSinksThatHaveNoContractTest() {
        Path classesWithoutTests = Path.of("target/classes");
        assertThatThrownBy(() -> SinkContracts.assertEverySinkIsTested(TEST_CLASSES, classesWithoutTests))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("sinks without a test that extends BlockSinkContract")
                .hasMessageContaining(SimulatedSink.class.getName());
    }

    @Test
    void shouldFindTheTestOfASink() {
        assertThat(SinkContracts.assertEverySinkIsTested(Path.of("target/classes"), TEST_CLASSES)).contains(SimulatedSink.class.getName());
    }
}
