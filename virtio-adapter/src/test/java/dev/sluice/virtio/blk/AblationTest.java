package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.virtio.queue.IovecSlab;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a process can do without to be measured; the queue's own tests have queues without a pool and without batches. */
final class AblationTest extends BareQueue {
    AblationTest() throws IOException {}

    @Test
    void shouldLeaveOutWhatThePropertyNames() {
        assertThat(Ablation.parse("")).isEqualTo(Ablation.NONE);
        assertThat(Ablation.parse("pool")).isEqualTo(new Ablation(false, true));
        assertThat(Ablation.parse("batch")).isEqualTo(new Ablation(true, false));
        assertThat(Ablation.parse("pool,batch")).isEqualTo(new Ablation(false, false)).isEqualTo(Ablation.parse("batch,pool"));
        assertThat(Ablation.OF_THIS_PROCESS).as("no product without its parts").isEqualTo(Ablation.NONE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bypass", "pool,", "pool, batch", "POOL"})
    void shouldRefuseWhatItDoesNotKnow(String leftOut) {
        assertThatThrownBy(() -> Ablation.parse(leftOut)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("dev.sluice.ablation=" + leftOut);
    }

    @Test
    void shouldHaveAllPartsUnlessTold() {
        assertThat(Ablation.NONE.descriptorsPerTick(4096)).isEqualTo(4096);
        assertThat(new Ablation(true, false).descriptorsPerTick(4096)).isEqualTo(1);
        try (IovecSlab slab = new IovecSlab(64, 126, 1, 1024, 1)) {
            assertThat(Ablation.NONE.requestPool(queue, slab, 64).getClass()).isEqualTo(RequestPool.class);
        }
    }

    @Test
    void shouldAllocateARequestAndItsIovecsForEachChainWithoutAPool() {
        try (IovecSlab slab = new IovecSlab(64, 126, 1, 1024, 1)) {
            UnpooledRequests requests = new UnpooledRequests(queue, slab, 64);
            List<VirtioBlkRequest> made = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                made.add(requests.next());
                requests.take();
                assertThat(requests.allocated()).isEqualTo(1);
                requests.release(made.getLast());
                assertThat(requests.allocated()).isZero();
            }
            assertThat(made).doesNotHaveDuplicates().extracting(VirtioBlkRequest::slot).containsOnly(0);
            for (int i = 0; i < 40; i++) {
                assertThat(requests.next()).as("not taken, as there was no room").isNotSameAs(requests.next());
                requests.take();
            }
            assertThat(requests.allocated()).isEqualTo(40);
            requests.close();
            assertThat(requests.allocated()).isZero();
        }
    }
}
