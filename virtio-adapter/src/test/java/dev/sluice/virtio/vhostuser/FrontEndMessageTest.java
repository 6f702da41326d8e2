package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.vhostuser.FrontEndMessage.Region;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetVringFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** vhost-user, "Front-end message types": what each message is, and that it has one length and one number of descriptors. */
final class FrontEndMessageTest {
    private static final Region FIRST = new Region(0x1000, 0x2000, 0x7000_0000, 0x3000);
    private static final Region SECOND = new Region(0x10_0000, 0x4000, 0x7100_0000, 0);

    private static MemorySegment ints(int... words) {
        return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_INT, words);
    }

    private static MemorySegment longs(long... words) {
        return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_LONG, words);
    }

    private static MemorySegment nothing() {
        return longs();
    }

    private static MemorySegment withData(int offset, int size, int data) {
        MemorySegment payload = Arena.ofAuto().allocate(VhostUser.CONFIG_HEADER_SIZE + data);
        MemorySegment.copy(ints(offset, size, 0), 0, payload, 0, VhostUser.CONFIG_HEADER_SIZE);
        return payload;
    }

    private static FrontEndMessage decode(int request, MemorySegment payload, int fds) throws ProtocolViolation {
        return FrontEndMessage.decode(request, payload, (int) payload.byteSize(), fds);
    }

    private static String refusal(int request, MemorySegment payload, int fds) {
        ProtocolViolation refused = catchThrowableOfType(ProtocolViolation.class, () -> decode(request, payload, fds));
        assertThat(refused).as("request %d of %d bytes with %d descriptors", request, payload.byteSize(), fds).isNotNull();
        assertThat(refused.isFatal()).isFalse();
        return refused.rule();
    }

    /** Request, payload, descriptors, what it is. */
    static Stream<Arguments> messages() {
        MemorySegment write = withData(32, 1, 1);
        return Stream.of(
                arguments(VhostUser.GET_FEATURES, nothing(), 0, new FrontEndMessage.GetFeatures()),
                arguments(VhostUser.SET_FEATURES, longs(0x1_4000_0000L), 0, new FrontEndMessage.SetFeatures(0x1_4000_0000L)),
                arguments(VhostUser.GET_PROTOCOL_FEATURES, nothing(), 0, new FrontEndMessage.GetProtocolFeatures()),
                arguments(VhostUser.SET_PROTOCOL_FEATURES, longs(0x209), 0, new FrontEndMessage.SetProtocolFeatures(0x209)),
                arguments(VhostUser.SET_OWNER, nothing(), 0, new FrontEndMessage.SetOwner()),
                arguments(VhostUser.RESET_OWNER, nothing(), 0, new FrontEndMessage.ResetOwner()),
                arguments(VhostUser.GET_QUEUE_NUM, nothing(), 0, new FrontEndMessage.GetQueueNum()),
                arguments(VhostUser.GET_MAX_MEM_SLOTS, nothing(), 0, new FrontEndMessage.GetMaxMemSlots()),
                arguments(VhostUser.SET_MEM_TABLE, longs(1, 0x1000, 0x2000, 0x7000_0000, 0x3000), 1, new FrontEndMessage.SetMemTable(List.of(FIRST))),
                arguments(
                        VhostUser.SET_MEM_TABLE,
                        longs(2, 0x1000, 0x2000, 0x7000_0000, 0x3000, 0x10_0000, 0x4000, 0x7100_0000, 0),
                        2,
                        new FrontEndMessage.SetMemTable(List.of(FIRST, SECOND))),
                arguments(VhostUser.ADD_MEM_REG, longs(-1, 0x1000, 0x2000, 0x7000_0000, 0x3000), 1, new FrontEndMessage.AddMemReg(FIRST)),
                arguments(VhostUser.REM_MEM_REG, longs(-1, 0x10_0000, 0x4000, 0x7100_0000, 0), 0, new FrontEndMessage.RemMemReg(SECOND)),
                arguments(VhostUser.SET_VRING_NUM, ints(3, 256), 0, new FrontEndMessage.SetVringNum(3, 256)),
                arguments(VhostUser.SET_VRING_BASE, ints(4, 0xFFFF), 0, new FrontEndMessage.SetVringBase(4, 0xFFFF)),
                arguments(VhostUser.GET_VRING_BASE, ints(5, 99), 0, new FrontEndMessage.GetVringBase(5)),
                arguments(VhostUser.SET_VRING_ADDR, longs(6L | 1L << 32, 0x10, 0x20, 0x30, 0x40), 0, new FrontEndMessage.SetVringAddr(6, 0x10, 0x20, 0x30)),
                arguments(VhostUser.SET_VRING_ENABLE, ints(7, 1), 0, new FrontEndMessage.SetVringEnable(7, 1)),
                arguments(VhostUser.SET_VRING_KICK, longs(255), 1, new SetVringFd(SetVringFd.Purpose.KICK, 255, true)),
                arguments(VhostUser.SET_VRING_CALL, longs(1 | VhostUser.VRING_NO_FD), 0, new SetVringFd(SetVringFd.Purpose.CALL, 1, false)),
                arguments(VhostUser.SET_VRING_ERR, longs(2), 1, new SetVringFd(SetVringFd.Purpose.ERR, 2, true)),
                arguments(VhostUser.SET_CONFIG, write, 0, new FrontEndMessage.SetConfig(32, 1, write)));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void shouldDecodeAMessageOfItsOneLengthAndRefuseEveryOther(int request, MemorySegment payload, int fds, FrontEndMessage expected) throws Exception {
        assertThat(decode(request, payload, fds)).isEqualTo(expected);
        int bytes = (int) payload.byteSize();
        for (int other : new int[] {bytes - 8, bytes - 1, bytes + 1, bytes + 8}) {
            if (other >= 0) {
                MemorySegment resized = Arena.ofAuto().allocate(other);
                MemorySegment.copy(payload, 0, resized, 0, Math.min(bytes, other));
                assertThat(refusal(request, resized, fds)).isNotBlank();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("messages")
    void shouldRefuseAMessageThatBringsDescriptorsTooManyOrTooFew(int request, MemorySegment payload, int fds, FrontEndMessage expected) throws Exception {
        if (request == VhostUser.REM_MEM_REG) {
            // vhost-user, "REM_MEM_REG": a back end has to accept the one that some front ends send along.
            assertThat(decode(request, payload, 1)).isEqualTo(expected);
            assertThat(refusal(request, payload, 2)).startsWith("REM_MEM_REG comes with");
            return;
        }
        for (int other : new int[] {fds - 1, fds + 1}) {
            if (other >= 0) {
                assertThat(refusal(request, payload, other)).endsWith(" comes with " + other + " file descriptors, not with " + fds);
            }
        }
    }

    @Test
    void shouldTakeOneToEightRegions() throws Exception {
        for (int count : new int[] {1, 8}) {
            long[] words = new long[1 + 4 * count];
            words[0] = count;
            List<Region> regions = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                Region region = new Region(i * 4L + 1, i * 4L + 2, i * 4L + 3, i * 4L + 4);
                regions.add(region);
                System.arraycopy(new long[] {region.guestAddress(), region.sizeBytes(), region.userAddress(), region.mmapOffset()}, 0, words, 1 + 4 * i, 4);
            }
            assertThat(decode(VhostUser.SET_MEM_TABLE, longs(words), count)).isEqualTo(new FrontEndMessage.SetMemTable(regions));
        }
        assertThat(refusal(VhostUser.SET_MEM_TABLE, longs(0), 0)).isEqualTo("SET_MEM_TABLE has 0 regions; 1 to 8 are possible");
        assertThat(refusal(VhostUser.SET_MEM_TABLE, longs(9), 0)).isEqualTo("SET_MEM_TABLE has 9 regions; 1 to 8 are possible");
        assertThat(refusal(VhostUser.SET_MEM_TABLE, longs(new long[37]), 9)).startsWith("SET_MEM_TABLE has 0 regions");
        assertThat(refusal(VhostUser.SET_MEM_TABLE, longs(0xFFFF_FFFFL), 0)).startsWith("SET_MEM_TABLE has 4294967295 regions");
        // Too short for the count itself.
        assertThat(refusal(VhostUser.SET_MEM_TABLE, ints(1), 0)).startsWith("SET_MEM_TABLE has 0 regions");
    }

    @Test
    void shouldRefuseWhatElseIsBesideTheIndexOfADescriptorMessage() {
        assertThat(refusal(VhostUser.SET_VRING_KICK, longs(1 << 9), 1)).isEqualTo("SET_VRING_KICK has unknown bits: 0x200");
        assertThat(refusal(VhostUser.SET_VRING_CALL, longs(Long.MIN_VALUE), 1)).isEqualTo("SET_VRING_CALL has unknown bits: 0x8000000000000000");
        assertThat(refusal(VhostUser.SET_VRING_ERR, ints(1), 1)).isEqualTo("SET_VRING_ERR has a payload of 4 bytes, not of 8");
    }

    @Test
    void shouldDecodeAReadOfTheConfigurationSpaceHoweverLongItIs() throws Exception {
        FrontEndMessage expected = new FrontEndMessage.GetConfig(20, 60, 2);
        MemorySegment header = ints(20, 60, 2);
        assertThat(decode(VhostUser.GET_CONFIG, header, 0)).isEqualTo(expected);
        MemorySegment whole = Arena.ofAuto().allocate(12 + 60);
        MemorySegment.copy(header, 0, whole, 0, 12);
        assertThat(decode(VhostUser.GET_CONFIG, whole, 0)).isEqualTo(expected);
        assertThat(refusal(VhostUser.GET_CONFIG, whole.asSlice(0, 11), 0)).isEqualTo("GET_CONFIG has a payload of 11 bytes, less than 12");
        assertThat(refusal(VhostUser.GET_CONFIG, header, 1)).startsWith("GET_CONFIG comes with 1 ");
    }

    @Test
    void shouldRefuseAWriteOfTheConfigurationSpaceThatHasAnotherLengthThanItStates() throws Exception {
        MemorySegment empty = withData(32, 0, 0);
        assertThat(decode(VhostUser.SET_CONFIG, empty, 0)).isEqualTo(new FrontEndMessage.SetConfig(32, 0, empty));
        assertThat(refusal(VhostUser.SET_CONFIG, empty.asSlice(0, 11), 0)).isEqualTo("SET_CONFIG has a payload of 11 bytes, less than 12");
        assertThat(refusal(VhostUser.SET_CONFIG, withData(32, 5, 1), 0)).isEqualTo("SET_CONFIG says 5 bytes and brings 1");
    }

    @Test
    void shouldRefuseRequestsThatWereNotOffered() {
        for (int request : new int[] {0, VhostUser.SET_LOG_BASE, VhostUser.GET_INFLIGHT_FD, VhostUser.RESET_DEVICE, VhostUser.SET_STATUS, 99, -1}) {
            assertThat(refusal(request, nothing(), 0)).isEqualTo("request " + Integer.toUnsignedString(request) + " is not one that this back end has offered");
        }
    }

    /** vhost-user, "VHOST_USER_PROTOCOL_F_REPLY_ACK": these never get the acknowledgement that others may ask for. */
    @Test
    void shouldKnowTheRequestsThatHaveAReplyOfTheirOwn() {
        assertThat(IntStream.range(0, 64).filter(FrontEndMessage::hasReplyOfItsOwn)).containsExactly(
                VhostUser.GET_FEATURES,
                VhostUser.GET_VRING_BASE,
                VhostUser.GET_PROTOCOL_FEATURES,
                VhostUser.GET_QUEUE_NUM,
                VhostUser.GET_CONFIG,
                VhostUser.GET_MAX_MEM_SLOTS);
    }
}
