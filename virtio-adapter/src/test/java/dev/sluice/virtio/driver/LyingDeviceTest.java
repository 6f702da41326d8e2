package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A used ring that cannot be: the driver says so and does not act on it. */
final class LyingDeviceTest {
    private QueueFixture f;
    private int head;

    @BeforeEach
    void submitTwo() throws IOException {
        f = QueueFixture.create(new QueueShape(16, 16, 4096, 8), false, true, 65_535);
        int _ = f.queue.submit(BlkRequest.T_IN, 0, 4096);
        int _ = f.queue.submit(BlkRequest.T_OUT, 0, 4096);
        boolean _ = f.queue.publish();
        f.device.takeAll();
        head = f.device.taken().getFirst().head();
    }

    @AfterEach
    void close() {
        f.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 17, 65_536, -1, Integer.MIN_VALUE})
    void shouldThrowWhenTheIdIsNoDescriptor(int id) {
        f.device.putUsed(id, 1);
        boolean _ = f.device.publish();
        assertThatThrownBy(f::poll)
                .isInstanceOf(BackendViolationException.class)
                .hasMessageContaining("id " + Integer.toUnsignedString(id));
        assertThat(f.completions).isEmpty();
    }

    @Test
    void shouldThrowWhenTheIdIsNoHead() {
        f.device.putUsed(head + 1, 1);
        boolean _ = f.device.publish();
        assertThatThrownBy(f::poll).isInstanceOf(BackendViolationException.class).hasMessageContaining("not out");
    }

    @Test
    void shouldThrowWhenAChainIsUsedTwice() {
        f.device.putUsed(head, 4097);
        f.device.putUsed(head, 4097);
        boolean _ = f.device.publish();
        assertThatThrownBy(f::poll).isInstanceOf(BackendViolationException.class).hasMessageContaining("used before");
        assertThat(f.completions).hasSize(1);
    }

    @Test
    void shouldThrowWhenTheIndexJumps() {
        for (int i = 0; i < 3; i++) {
            f.device.putUsed(head, 1);
        }
        boolean _ = f.device.publish();
        assertThatThrownBy(f::poll)
                .isInstanceOf(BackendViolationException.class)
                .hasMessageContaining("moved by 3")
                .hasMessageContaining("2 chains");
    }

    @ParameterizedTest
    @ValueSource(ints = {4098, Integer.MAX_VALUE, -1})
    void shouldThrowWhenMoreWasWrittenThanFits(int length) {
        f.device.putUsed(head, length);
        boolean _ = f.device.publish();
        assertThatThrownBy(f::poll).isInstanceOf(BackendViolationException.class).hasMessageContaining("into 4097");
    }
}
