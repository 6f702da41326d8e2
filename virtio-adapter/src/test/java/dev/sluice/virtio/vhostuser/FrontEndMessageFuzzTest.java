package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.vhostuser.FrontEndMessage.AddMemReg;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetConfig;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetMemTable;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetVringFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The message codec takes any payload: a message or a refusal, and no byte is read beyond the payload.
 *
 * <pre>
 * input: u32 request; u8 descriptors that came with it; u8 payload[]
 * </pre>
 */
final class FrontEndMessageFuzzTest {
    private static final int PREFIX_BYTES = 5;

    @FuzzTest(maxDuration = "2m")
    void shouldDecodeOrRefuseWhenAPayloadIsAnything(byte[] input) {
        if (input.length < PREFIX_BYTES || input.length > PREFIX_BYTES + MessageStream.MAX_PAYLOAD_BYTES) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            // No byte more than there are: what is read beyond is thrown out of the segment.
            MemorySegment payload = arena.allocate(input.length - PREFIX_BYTES, Long.BYTES);
            MemorySegment.copy(input, PREFIX_BYTES, payload, ValueLayout.JAVA_BYTE, 0, input.length - PREFIX_BYTES);
            int request = MemorySegment.ofArray(input).get(ValueLayout.JAVA_INT_UNALIGNED, 0);
            int fds = input[4] & 0xFF;
            FrontEndMessage message;
            try {
                message = FrontEndMessage.decode(request, payload, (int) payload.byteSize(), fds);
            } catch (ProtocolViolation refused) {
                assertThat(refused.isFatal()).as(refused.rule()).isFalse();
                assertThat(refused.rule()).isNotBlank().doesNotContain("\n");
                return;
            }
            requireWhatCameWith(message, payload, fds);
            assertThat(payload.toArray(ValueLayout.JAVA_BYTE)).as("decoding writes nothing")
                    .isEqualTo(java.util.Arrays.copyOfRange(input, PREFIX_BYTES, input.length));
        }
    }

    /** Each descriptor has a use, or is the one that REM_MEM_REG may bring. */
    private static void requireWhatCameWith(FrontEndMessage message, MemorySegment payload, int fds) {
        int bytes = (int) payload.byteSize();
        switch (message) {
            case SetMemTable table -> {
                assertThat(table.regions()).hasSizeBetween(1, VhostUser.MEM_TABLE_MAX_REGIONS).hasSize(fds);
                assertThat(bytes).isEqualTo(VhostUser.MEM_TABLE_HEADER_SIZE + fds * VhostUser.REGION_SIZE);
            }
            case AddMemReg _ -> assertThat(fds).isEqualTo(1);
            case FrontEndMessage.RemMemReg _ -> assertThat(fds).isBetween(0, 1);
            case SetVringFd fd -> {
                assertThat(fds).isEqualTo(fd.hasFd() ? 1 : 0);
                assertThat(fd.index()).isBetween(0, 255);
            }
            case SetConfig config -> {
                assertThat(config.bytes()).isEqualTo(bytes - VhostUser.CONFIG_HEADER_SIZE).isNotNegative();
                assertThat(fds).isZero();
            }
            default -> assertThat(fds).isZero();
        }
        assertThat(fds).isLessThanOrEqualTo(ReceivedFds.MAX_PER_MESSAGE);
    }
}
