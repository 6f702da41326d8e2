package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Mapping;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Mappings stay while somebody may still use them. */
final class MappingQuarantineTest {
    private final AtomicLong bytesOfTheServer = new AtomicLong(100);
    private final MappingQuarantine quarantine = new MappingQuarantine(bytesOfTheServer);

    private static boolean mapped(Mapping mapping) {
        return !mapping.toString().contains("closed");
    }

    @Test
    void shouldUnmapAtOnceWhenNobodyHoldsIt() throws IOException {
        Mapping mapping = Mapping.anonymous(4096);
        quarantine.close(mapping);
        assertThat(mapped(mapping)).isFalse();
        assertThat(quarantine.waitingBytes()).as("another connection's").isEqualTo(100);
    }

    @Test
    void shouldUnmapWhatWasGivenUpWhenTheLastHoldIsReleased() throws IOException {
        Mapping before = Mapping.anonymous(4096);
        Mapping after = Mapping.anonymous(8192);
        quarantine.hold();
        quarantine.close(before);
        assertThat(quarantine.waitingBytes()).isEqualTo(100 + 4096);
        quarantine.hold();
        quarantine.close(after);
        assertThat(quarantine.waitingBytes()).isEqualTo(100 + 4096 + 8192);
        quarantine.release();
        assertThat(mapped(before)).as("a stage may be in it").isTrue();
        assertThat(mapped(after)).isTrue();
        quarantine.release();
        assertThat(mapped(before)).isFalse();
        assertThat(mapped(after)).isFalse();
        assertThat(bytesOfTheServer).hasValue(100);
    }

    @Test
    void shouldCountAMappingOnceWhenItIsHeldAgain() throws IOException {
        for (int i = 0; i < 2; i++) {
            Mapping mapping = Mapping.anonymous(4096);
            quarantine.hold();
            quarantine.close(mapping);
            quarantine.release();
            assertThat(mapped(mapping)).isFalse();
            assertThat(bytesOfTheServer).hasValue(100);
        }
    }
}
