package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What throws on the way of a request, in the sink or in whoever hears of its completion, harms that request and no other. */
@Timeout(60)
class SinkBugsTest {
    private static final int SECTOR = 512;

    private static TestIo read(int sector) {
        return TestIo.read(sector, SECTOR);
    }

    /** A FLUSH that does something when it completes. */
    private static final class Hooked extends BlockRequest {
        private final Runnable then;
        private int answers;

        Hooked(SinkRig rig, Runnable then) {
            super(rig.loop, 0, 0);
            this.then = then;
            parsed(BlockOp.FLUSH, 0, 0, 0, 0);
        }

        @Override
        protected void completed(int result) {
            assertThat(result).isZero();
            answers++;
            then.run();
        }
    }

    @Test
    void shouldFailTheRequestWhoseStartThrowsAndNoOther() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            rig.sink.throwsBefore = new AssertionError("made up");
            TestIo thrown = rig.add(read(0));
            TestIo next = rig.submit(read(1));
            assertThat(logged.containing("submitting a request failed")).hasSize(1);
            rig.tick();
            assertThat(thrown.result()).isEqualTo(-Errno.EIO);
            rig.end();
            assertThat(next.result()).isEqualTo(SECTOR);
        }
    }

    @Test
    void shouldLeaveARequestToTheKernelIfItsStartThrowsOnceTheKernelHasIt() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.throwsAfter = new AssertionError("made up");
            TestIo io = rig.submit(read(0));
            rig.tick();
            assertThat(io.completed()).isFalse();
            rig.end();
            assertThat(io.result()).isEqualTo(SECTOR);
            assertThat(io.completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldFailTheRequestWhoseCompletionThrowsAndNoOther() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            TestIo thrown = rig.submit(read(0));
            TestIo next = rig.submit(read(1));
            rig.seam((call, result) -> {
                rig.seam(CompletionSeam.NONE);
                throw new IllegalStateException("made up");
            });
            rig.sink.end();
            rig.sink.end();
            rig.tick();
            assertThat(thrown.result()).isEqualTo(-Errno.EIO);
            assertThat(next.result()).isEqualTo(SECTOR);
            assertThat(logged.containing("a completion failed")).hasSize(1);
        }
    }

    @Test
    void shouldOnlyLogACompletionOfAFreeSlot() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            TestIo other = rig.submit(read(0));
            rig.sink.collect(1, SECTOR);
            rig.end();
            assertThat(other.result()).isEqualTo(SECTOR);
            assertThat(rig.sink.inFlight()).isZero();
            assertThat(logged.containing("slot 1 has no request")).hasSize(1);
        }
    }

    @Test
    void shouldFreeTheSlotOfARequestWhoseListenerThrows() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            Hooked hooked = new Hooked(rig, () -> {
                throw new IllegalStateException("made up");
            });
            assertThat(rig.sink.submit(hooked)).isTrue();
            TestIo other = rig.submit(TestIo.flush());
            rig.end(0);
            assertThat(hooked.answers).isEqualTo(1);
            assertThat(other.result()).isZero();
            assertThat(rig.sink.inFlight()).isZero();
            assertThat(logged.containing("completing a request failed")).hasSize(1);
        }
    }

    /** Whoever hears of a completion may submit and flush at once. */
    @Test
    void shouldServeARequestThatIsSubmittedAndFlushedAtTheCompletionOfASync() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            List<TestIo> later = new ArrayList<>();
            Hooked hooked = new Hooked(rig, () -> {
                later.add(rig.submit(TestIo.flush()));
                TestIo refused = rig.add(TestIo.read(0, 0));
                later.add(refused);
            });
            assertThat(rig.sink.submit(hooked)).isTrue();
            TestIo member = rig.add(TestIo.flush());
            rig.sink.flush();
            TestIo waits = rig.submit(TestIo.flush());
            rig.end(0);
            assertThat(member.result()).isZero();
            assertThat(rig.started()).containsExactly("sync of its sync file", "sync of its sync file");
            rig.end(0);
            assertThat(later).allSatisfy(io -> assertThat(io.completions()).isEqualTo(1));
            rig.endAll();
            assertThat(waits.result()).isZero();
        }
    }
}
