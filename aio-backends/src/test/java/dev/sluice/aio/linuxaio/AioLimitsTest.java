package dev.sluice.aio.linuxaio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Iocb;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Why there is no context, in one line, and whether the kernel has asynchronous syncs. */
@Timeout(60)
class AioLimitsTest {
    @Test
    void shouldNameBothNumbersOfALimit() throws IOException {
        String most = Files.readAllLines(Path.of("/proc/sys/fs/aio-max-nr")).getFirst().strip();
        assertThat(AioLimits.advice(-Errno.EAGAIN)).contains("fs.aio-nr = ", " of fs.aio-max-nr = " + most + ": raise it as root").doesNotContain("unknown");
        assertThat(AioLimits.advice(Errno.EAGAIN)).contains("of fs.aio-max-nr = " + most);
        assertThat(AioLimits.exhausted("5", "7")).contains("fs.aio-nr = 5 of fs.aio-max-nr = 7");
        // With one event in use, all of them are one too many.
        AioContext inUse = AioContext.open(1, AioCalls.KERNEL);
        try {
            assertThat(AioLimits.unavailable(Integer.parseInt(most))).hasValueSatisfying(line -> assertThat(line).contains("fs.aio-max-nr = " + most));
        } finally {
            inUse.destroy();
        }
        assertThat(AioLimits.unavailable(1)).isEmpty();
    }

    @Test
    void shouldAdviseByErrno() {
        assertThat(AioLimits.advice(-Errno.ENOSYS)).contains("CONFIG_AIO");
        assertThat(AioLimits.advice(-Errno.EPERM)).contains("seccomp").isEqualTo(AioLimits.advice(-Errno.EACCES));
        assertThat(AioLimits.advice(-Errno.EINVAL)).isEqualTo("choose another backend, or fewer events");
    }

    @Test
    void shouldFindOutWhetherTheKernelSyncs() throws IOException {
        long before = contexts();
        assertThat(AioLimits.kernelSyncs(4)).as("Linux 4.18 and later").isTrue();
        assertThat(contexts()).as("the context of the question is gone").isEqualTo(before);
    }

    @Test
    void shouldAskTheKernelForASync() throws ErrnoException {
        ScriptedAio asked = new ScriptedAio();
        assertThat(AioLimits.kernelSyncs(4, asked)).isTrue();
        assertThat(asked.taken).hasSize(1).allMatch(iocb -> iocb.opcode() == Iocb.IOCB_CMD_FDSYNC && iocb.fd() > 0);
        asked.submissions.add(-Errno.EINVAL);
        assertThat(AioLimits.kernelSyncs(4, asked)).as("no such opcode").isFalse();
        asked.submissions.add(-Errno.EAGAIN);
        assertThat(AioLimits.kernelSyncs(4, asked)).as("not known").isFalse();
        asked.submissions.add(-Errno.EPERM);
        assertThatThrownBy(() -> AioLimits.kernelSyncs(4, asked))
                .isInstanceOf(ErrnoException.class)
                .hasMessageContaining("io_submit")
                .hasMessageContaining("seccomp");
        assertThat(asked.contexts).hasSize(4).allMatch(ScriptedAio::destroyed);
    }

    /** Nobody hears of the sync: whether the context waits for it or was refused it, everything is given back. */
    @Test
    void shouldLeaveNothingBehindHoweverTheQuestionEnds() throws IOException {
        long contexts = contexts();
        long files = OpenFiles.count();
        for (int refusal : new int[] {0, -Errno.EINVAL, -Errno.EPERM}) {
            ScriptedAio asked = new ScriptedAio();
            if (refusal != 0) {
                asked.submissions.add(refusal);
            }
            try {
                assertThat(AioLimits.kernelSyncs(4, asked)).isEqualTo(refusal == 0);
                assertThat(refusal).isNotEqualTo(-Errno.EPERM);
            } catch (ErrnoException forbidden) {
                assertThat(forbidden.errno()).isEqualTo(Errno.EPERM);
            }
            assertThat(contexts()).isEqualTo(contexts);
            assertThat(OpenFiles.count()).isLessThanOrEqualTo(files);
        }
    }

    private static long contexts() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> line.contains("[aio]")).count();
    }
}
