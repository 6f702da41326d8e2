package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.END;
import static dev.sluice.virtio.blk.QueueUnderTest.GUEST;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests without data of the disk: what GET_ID returns, which types there are, ranges to discard or zero. VIRTIO 1.3 §5.2.6. */
final class GetIdAndRangesTest extends ChainsOfRequests {
    GetIdAndRangesTest() throws IOException {}

    // ---- GET_ID

    @ParameterizedTest
    @CsvSource({"0, 0", "1, 1", "19, 19", "20, 20", "21, 20", "512, 20"})
    void shouldWriteTheSerialItselfAndNothingBehindIt(int room, int written) {
        header(GET_ID, 77);
        for (int i = 0; i <= 512; i++) {
            guest.poke(DATA + i, (byte) 0x5A);
        }
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(DATA, room), buffer(STATUS, 1)));
        assertThat(guest.queue.poll()).as("no request to the disk").isNull();
        requireUsed(written + 1, OK);
        for (int i = 0; i <= 512; i++) {
            assertThat(guest.peek(DATA + i)).as("byte " + i).isEqualTo(i < written ? (byte) "0123456789abcdefghij".charAt(i) : (byte) 0x5A);
        }
        assertThat(guest.events.completed).as("the disk has completed nothing").isEmpty();
        assertThat(guest.events.malformed).hasValue(0);
    }

    @Test
    void shouldFillTheRoomBehindAShortSerialWithNuls() throws IOException {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.serial = "sluice-7";
        reopen(setup);
        header(GET_ID, 0);
        // Bytes by themselves, more than a request has iovecs of its own, over the border of regions.
        List<Buffer> writable = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            guest.poke(BORDER - 10 + i, (byte) 0x5A);
            writable.add(buffer(BORDER - 10 + i, 1));
        }
        writable.add(buffer(STATUS, 1));
        offer(List.of(buffer(HEADER, 16)), writable);
        assertThat(guest.queue.poll()).isNull();
        requireUsed(21, OK);
        byte[] expected = Arrays.copyOf("sluice-7".getBytes(StandardCharsets.UTF_8), 20);
        for (int i = 0; i < 20; i++) {
            assertThat(guest.peek(BORDER - 10 + i)).isEqualTo(expected[i]);
        }
    }

    /** VIRTIO 1.3 §5.2.6. */
    @Test
    void shouldKnowTheRequestTypesOfTheSpecificationAndNoOther() {
        Map<Integer, BlockOp> specified = Map.of(IN, BlockOp.READ, OUT, BlockOp.WRITE, FLUSH, BlockOp.FLUSH);
        for (int type = -1; type < 1 << 10; type++) {
            if (type == GET_ID || type == DISCARD || type == WRITE_ZEROES) {
                continue;
            }
            // A tick reads so many descriptors.
            guest.loop.advanceNanos(1);
            header(type, 0);
            offer(List.of(buffer(HEADER, 16), buffer(DATA, type == OUT ? 512 : 0)), List.of(buffer(DATA, type == IN ? 512 : 0), buffer(STATUS, 1)));
            BlockRequest request = guest.queue.poll();
            assertThat(request == null ? null : request.op()).as("type " + type).isEqualTo(specified.get(type));
            if (request != null) {
                request.complete(0);
                int _ = guest.loop.tickUntilIdle();
                assertThat(guest.takeUsed()).hasSize(1);
            } else {
                requireUsed(1, UNSUPP);
            }
        }
    }

    @Test
    void shouldFailAGetIdOutsideMemory() {
        header(GET_ID, 0);
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(END, 20), buffer(STATUS, 1)));
        requireMalformed(OUTSIDE, true);
    }

    // ---- DISCARD and WRITE_ZEROES

    @Test
    void shouldNameTheRangeToDiscardOrZero() {
        for (int type : new int[] {DISCARD, WRITE_ZEROES}) {
            for (int flags : type == DISCARD ? new int[] {0} : new int[] {0, 1}) {
                range(type, 6, 24, flags);
                BlockRequest request = polled();
                assertThat(request.op()).isEqualTo(type == DISCARD ? BlockOp.DISCARD : BlockOp.WRITE_ZEROES);
                assertThat(request.sector()).isEqualTo(6);
                assertThat(request.lengthBytes()).isEqualTo(24 * 512);
                assertThat(request.iovecCount()).isZero();
                assertThat(request.mayUnmap()).isEqualTo(flags == 1);
                request.complete(0);
                requireUsed(1, OK);
            }
            range(type, 6, 0, 0);
            requireCompletedAtOnce(0, OK);
            range(type, 6, 8, 2);
            requireCompletedAtOnce(Errno.EOPNOTSUPP, UNSUPP);
            range(type, QueueUnderTest.DISK_BYTES / 512, 1, 0);
            requireCompletedAtOnce(Errno.EINVAL, IOERR);
        }
        range(DISCARD, 6, 8, 1);
        requireCompletedAtOnce(Errno.EOPNOTSUPP, UNSUPP);
    }

    @Test
    void shouldReadTheSegmentHoweverItIsSplit() {
        header(DISCARD, 0);
        VirtioBlkDiscardSegment.set(guest.low, HEADER + 16 - GUEST, 0x0102, 0x0304, 0);
        // Over the end of the header, over the border of regions, and byte by byte.
        for (int i = 0; i < 16; i++) {
            guest.poke(BORDER - 7 + i, guest.peek(HEADER + 16 + i));
        }
        List<Buffer> bytes = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            bytes.add(buffer(HEADER + i, 1));
        }
        for (List<Buffer> readable : List.of(
                List.of(buffer(HEADER, 32)), List.of(buffer(HEADER, 10), buffer(HEADER + 10, 11), buffer(HEADER + 21, 11)),
                List.of(buffer(HEADER, 16), buffer(BORDER - 7, 16)), bytes)) {
            offer(readable, List.of(buffer(STATUS, 1)));
            BlockRequest request = polled();
            assertThat(request.sector()).isEqualTo(0x0102);
            assertThat(request.lengthBytes()).isEqualTo(0x0304 * 512);
            request.complete(0);
            requireUsed(1, OK);
        }
        for (int segmentBytes : new int[] {0, 15, 17}) {
            offer(List.of(buffer(HEADER, 16 + segmentBytes)), List.of(buffer(STATUS, 1)));
            boolean tooLong = segmentBytes == 17;
            requireCompletedAtOnce(tooLong ? Errno.EOPNOTSUPP : Errno.EINVAL, tooLong ? UNSUPP : IOERR);
        }
        offer(List.of(buffer(HEADER, 16), buffer(END - 15, 16)), List.of(buffer(STATUS, 1)));
        requireMalformed("segment of a discard or write zeroes is outside the guest's memory", true);
    }
}
