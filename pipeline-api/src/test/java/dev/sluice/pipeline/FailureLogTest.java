package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class FailureLogTest {

    @Test
    void shouldAdmitOneOfManyFailures() {
        FailureLog log = new FailureLog(LoggerFactory.getLogger(FailureLogTest.class));
        List<Boolean> admitted = new ArrayList<>();
        long begun = System.nanoTime();
        while (admitted.size() < 1000) {
            admitted.add(log.admits());
        }
        long seconds = (System.nanoTime() - begun) / 1_000_000_000L;
        assertThat(admitted.getFirst()).isTrue();
        assertThat(admitted.stream().filter(yes -> yes).count()).isLessThanOrEqualTo(1 + seconds + 1);
    }
}
