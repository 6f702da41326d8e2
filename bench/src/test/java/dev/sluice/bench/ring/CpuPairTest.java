package dev.sluice.bench.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuPairTest {
    @Test
    void shouldParseTwoCpus() {
        assertThat(CpuPair.parse("2, 5")).isEqualTo(new CpuPair(2, 5));
        assertThat(new CpuPair(2, 5).text()).isEqualTo("2,5");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "0,0", "0,1,2", "-1,0", "a,b", "0-1"})
    void shouldRefuseWhatIsNotTwoCpus(String text) {
        assertThatThrownBy(() -> CpuPair.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldExpandTheKernelsList() {
        assertThat(CpuPair.allowed("0-2,5")).containsExactly(0, 1, 2, 5);
        assertThat(CpuPair.allowed("7")).containsExactly(7);
    }
}
