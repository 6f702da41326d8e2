package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A chain is in flight from being taken to being published, whatever others do. */
final class InFlightChainsTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 64, 128, 1024})
    void shouldHoldEachChainUntilItsCompletionIsPublished(int size) {
        InFlightChains chains = new InFlightChains(size);
        for (int id = 0; id < size; id++) {
            assertThat(chains.contains(id)).isFalse();
            chains.taken(id);
            assertThat(chains.contains(id)).isTrue();
        }
        for (int id = 0; id < size; id += 2) {
            chains.completed(id);
            assertThat(chains.contains(id)).as("not before it is published").isTrue();
        }
        chains.published();
        for (int id = 0; id < size; id++) {
            assertThat(chains.contains(id)).isEqualTo(id % 2 != 0);
        }
        for (int id = 1; id < size; id += 2) {
            chains.completed(id);
            chains.published();
            assertThat(chains.contains(id)).isFalse();
        }
    }

    @Test
    void shouldNotForgetAChainThatIsTakenAgainAfterItWasPublished() {
        InFlightChains chains = new InFlightChains(8);
        chains.taken(3);
        chains.completed(3);
        chains.published();
        chains.taken(3);
        chains.published();
        assertThat(chains.contains(3)).isTrue();
    }

    @Test
    void shouldFailLoudlyWhenAChainIsCompletedThatIsNotInFlight() {
        assertThatThrownBy(() -> new InFlightChains(8).completed(3)).isInstanceOf(AssertionError.class).hasMessageContaining("chain 3");
    }
}
