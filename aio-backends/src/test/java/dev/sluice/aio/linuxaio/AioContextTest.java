package dev.sluice.aio.linuxaio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.AioRing;
import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.IoEvent;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Submissions in order, whatever io_submit takes of them, and completions from both their sources. */
@Timeout(60)
class AioContextTest {
    private static final int CAPACITY = 8;

    /** Notes ends as text. */
    private static final class Noted implements AioContext.Ends {
        private final List<String> ends = new ArrayList<>();
        private int throwsAt = Integer.MAX_VALUE;

        @Override
        public void refused(int slot, int errno) {
            note("refused " + slot + " " + errno);
        }

        @Override
        public void completed(int slot, int result) {
            note("completed " + slot + " " + result);
        }

        private void note(String end) {
            ends.add(end);
            if (ends.size() == throwsAt) {
                throw new IllegalStateException("made up");
            }
        }
    }

    private final ScriptedAio kernel = new ScriptedAio();
    private final Noted noted = new Noted();
    private final AioContext context;

    AioContextTest() throws ErrnoException {
        context = AioContext.open(CAPACITY, kernel);
    }

    @AfterEach
    void destroy() {
        context.destroy();
        assertThat(ScriptedAio.destroyed(kernel.contexts.getFirst())).as("the kernel's end of it").isTrue();
    }

    private void add(int... slots) {
        for (int slot : slots) {
            Iocb.setDataSync(context.iocb(slot), 1, slot);
            context.add(slot);
        }
    }

    private List<Integer> slots() {
        return kernel.taken.stream().map(ScriptedAio.Taken::slot).toList();
    }

    @Test
    void shouldSubmitAllAtOnceInOrder() {
        add(3, 1, 7);
        assertThat(context.waiting()).isEqualTo(3);
        assertThat(context.submit(noted)).isEqualTo(1);
        assertThat(slots()).containsExactly(3, 1, 7);
        assertThat(kernel.asked).containsExactly(3);
        assertThat(context.waiting()).isZero();
        assertThat(context.inKernel()).isEqualTo(3);
        assertThat(context.opcode(3)).isEqualTo(Iocb.IOCB_CMD_FDSYNC);
        assertThat(context.submit(noted)).as("nothing waits").isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -Errno.EAGAIN, -Errno.EINTR, -Errno.ENOMEM})
    void shouldKeepTheRestInOrderIfTheKernelTakesNoMoreForNow(int refusal) {
        add(3, 1, 7, 5, 0);
        kernel.submissions.addAll(List.of(2, refusal));
        assertThat(context.submit(noted)).isEqualTo(-2);
        assertThat(context.waiting()).isEqualTo(3);
        assertThat(context.inKernel()).isEqualTo(2);
        add(4);
        kernel.submissions.add(refusal);
        assertThat(context.submit(noted)).isEqualTo(-1);
        assertThat(context.waiting()).isEqualTo(4);
        assertThat(context.submit(noted)).isEqualTo(1);
        assertThat(slots()).containsExactly(3, 1, 7, 5, 0, 4);
        assertThat(kernel.asked).containsExactly(5, 3, 4, 4);
        assertThat(noted.ends).isEmpty();
    }

    @Test
    void shouldReportTheOneThatTheKernelRefusesForGoodAndSubmitTheOthers() {
        add(3, 1, 7, 5);
        kernel.submissions.addAll(List.of(1, -Errno.EBADF));
        assertThat(context.submit(noted)).isEqualTo(3);
        assertThat(noted.ends).containsExactly("refused 1 " + -Errno.EBADF);
        assertThat(slots()).containsExactly(3, 7, 5);
        assertThat(context.waiting()).isZero();
        assertThat(context.inKernel()).isEqualTo(3);
    }

    @Test
    void shouldSubmitNothingTwiceWhenSomethingThrows() {
        add(3, 1, 7, 5);
        noted.throwsAt = 1;
        kernel.submissions.addAll(List.of(1, -Errno.EBADF));
        assertThatThrownBy(() -> context.submit(noted)).hasMessage("made up");
        assertThat(context.waiting()).isEqualTo(2);
        kernel.submissions.add(1);
        kernel.submitThrows = new IllegalStateException("io_submit");
        assertThatThrownBy(() -> context.submit(noted)).hasMessage("io_submit");
        assertThat(context.waiting()).isEqualTo(1);
        assertThat(context.submit(noted)).isEqualTo(1);
        assertThat(slots()).containsExactly(3, 7, 5);
    }

    @Test
    void shouldTakeCompletionsFromTheKernelsCopy() {
        assertThat(context.readsRing()).isFalse();
        add(0, 1, 2);
        int _ = context.submit(noted);
        kernel.complete(1, 4096);
        kernel.complete(0, -Errno.EIO);
        assertThat(context.reap(noted)).isEqualTo(2);
        assertThat(noted.ends).containsExactly("completed 1 4096", "completed 0 " + -Errno.EIO);
        assertThat(context.inKernel()).isEqualTo(1);
        kernel.getEvents.add(-Errno.EINTR);
        assertThat(context.reap(noted)).isEqualTo(-Errno.EINTR);
        assertThat(context.reap(noted)).isZero();
    }

    // ---- the ring that the kernel shows

    private static final int RING_EVENTS = 4;

    private static NativeBlock ring() {
        NativeBlock ring = NativeMemory.allocate(AioRing.EVENTS_OFFSET + (long) RING_EVENTS * IoEvent.SIZE, 64);
        NativeMemory.putInt(ring.address() + AioRing.COUNT_OFFSET, RING_EVENTS);
        NativeMemory.putInt(ring.address() + AioRing.MAGIC_OFFSET, AioRing.MAGIC);
        NativeMemory.putInt(ring.address() + AioRing.HEADER_LENGTH_OFFSET, AioRing.EVENTS_OFFSET);
        return ring;
    }

    private static void put(NativeBlock ring, int slot, int result) {
        int tail = AioRing.tail(ring.address());
        long event = AioRing.event(ring.address(), tail);
        NativeMemory.putLong(event + IoEvent.DATA_OFFSET, slot);
        NativeMemory.putLong(event + IoEvent.RESULT_OFFSET, result);
        NativeMemory.putInt(ring.address() + AioRing.TAIL_OFFSET, (tail + 1) % RING_EVENTS);
    }

    private static AioContext over(NativeBlock ring) throws ErrnoException {
        return AioContext.open(CAPACITY, new AioCalls() {
            @Override
            public long setup(int events) {
                return ring.address();
            }

            @Override
            public int submit(long context, int count, long iocbAddresses) {
                return count;
            }
        });
    }

    @Test
    void shouldTakeCompletionsFromTheRingAroundItsEnd() throws ErrnoException {
        try (NativeBlock ring = ring()) {
            AioContext shown = over(ring);
            assertThat(shown.readsRing()).isTrue();
            assertThat(shown.reap(noted)).isZero();
            for (int i = 0; i < 10; i++) {
                for (int slot = 0; slot < 3; slot++) {
                    Iocb.setDataSync(shown.iocb(slot), 1, slot);
                    shown.add(slot);
                    put(ring, slot, 100 * i + slot);
                }
                int _ = shown.submit(noted);
                assertThat(shown.reap(noted)).isEqualTo(3);
                assertThat(noted.ends).containsExactly("completed 0 " + 100 * i, "completed 1 " + (100 * i + 1), "completed 2 " + (100 * i + 2));
                assertThat(AioRing.head(ring.address())).isEqualTo(AioRing.tail(ring.address()));
                assertThat(shown.inKernel()).isZero();
                noted.ends.clear();
            }
            shown.destroy();
        }
    }

    @Test
    void shouldReportNoCompletionOfTheRingTwiceWhenOneThrows() throws ErrnoException {
        try (NativeBlock ring = ring()) {
            AioContext shown = over(ring);
            put(ring, 5, 1);
            put(ring, 6, 2);
            noted.throwsAt = 1;
            assertThatThrownBy(() -> shown.reap(noted)).hasMessage("made up");
            assertThat(shown.reap(noted)).isEqualTo(1);
            assertThat(noted.ends).containsExactly("completed 5 1", "completed 6 2");
            shown.destroy();
        }
    }

    // ---- limits

    private static AioCalls setupFailing(long result) {
        return new AioCalls() {
            @Override
            public long setup(int events) {
                return result;
            }

            @Override
            public boolean mayReadRing(long context) {
                return false;
            }
        };
    }

    @Test
    void shouldSayWhyTheKernelGivesNoContext() throws ErrnoException {
        assertThatThrownBy(() -> AioContext.open(77, setupFailing(-Errno.ENOSYS)))
                .isInstanceOf(ErrnoException.class)
                .hasMessageContaining("io_setup(77)")
                .hasMessageContaining("this kernel has no Linux AIO");
        assertThatThrownBy(() -> AioContext.open(77, setupFailing(-4095))).isInstanceOf(ErrnoException.class);
        // An address, not an errno.
        AioContext.open(1, setupFailing(-4096)).destroy();
        AioContext.open(1, setupFailing(0)).destroy();
    }

    @Test
    void shouldFreeItsMemory() throws IOException {
        long before = NativeBlock.openBytes();
        AioContext context = AioContext.open(32768, setupFailing(0));
        assertThat(NativeBlock.openBytes() - before).isGreaterThan(2 << 20);
        context.destroy();
        assertThat(NativeBlock.openBytes()).isLessThanOrEqualTo(before);
    }
}
