package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.virtio.driver.BlkRequest;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * A front end that truncates its memory under a stage which looks at the data, and has been compiled by C2: a load that is folded into another
 * instruction, or on aarch64 a copy above 80 bytes, would end the process.
 */
final class TruncatedUnderStageTest {
    private static final int WARM_UP_REQUESTS = 100;
    private static final int LOOKS_A_REQUEST = 500;
    /** Of any architecture's pages a whole number. */
    private static final int DATA_BYTES = 64 << 10;

    /** What the stage reads or writes. */
    enum Look {
        BYTES {
            @Override
            long at(BlockRequest request, Room room) {
                request.copyDataTo(7, room.array, 0, 1);
                return (long) room.array[0] + ((room.array[0] & 4) != 0 ? 1 : 2);
            }
        },
        INTS {
            @Override
            long at(BlockRequest request, Room room) {
                request.copyDataTo(13, room.buffer.clear().limit(Integer.BYTES));
                // An int widened to a long: of a plain load of the guest's memory C2 would make one instruction, at which HotSpot ends the process.
                long widened = room.buffer.getInt(0);
                return widened + Integer.toUnsignedLong(room.buffer.getInt(0));
            }
        },
        LONGS {
            @Override
            long at(BlockRequest request, Room room) {
                request.copyDataTo(16, room.segment, 0, 2L * Long.BYTES);
                return room.segment.get(ValueLayout.JAVA_LONG, 0) + Long.bitCount(room.segment.get(ValueLayout.JAVA_LONG, 8));
            }
        },
        ALL {
            @Override
            long at(BlockRequest request, Room room) {
                request.copyDataTo(0, room.array, 0, 4096);
                request.copyDataTo(1, room.segment, 0, 4095);
                request.copyDataTo(3, room.buffer.clear().limit(4000));
                return room.array[9];
            }
        },
        WRITES {
            @Override
            int type() {
                return BlkRequest.T_IN;
            }

            @Override
            long at(BlockRequest request, Room room) {
                request.copyDataFrom(1, room.array, 0, 1);
                request.copyDataFrom(3, room.buffer.clear().limit(100));
                request.copyDataFrom(0, room.segment, 0, 4096);
                return 1;
            }
        };

        int type() {
            return BlkRequest.T_OUT;
        }

        abstract long at(BlockRequest request, Room room);
    }

    /** Memory of the stage's own. */
    static final class Room {
        final byte[] array = new byte[4096];
        final ByteBuffer buffer = ByteBuffer.allocateDirect(4096).order(ByteOrder.nativeOrder());
        final MemorySegment segment = Arena.ofAuto().allocate(4096, Long.BYTES);
    }

    /** Looks, and completes the request without the sink. */
    private static final class Looks implements BlockStage {
        private final Look look;
        private final Room room = new Room();
        volatile int looks = LOOKS_A_REQUEST;
        /** So that the compiler has to load what is looked at. */
        volatile long sum;

        Looks(Look look) {
            this.look = look;
        }

        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            lookAt(request);
            return Mono.just(BlockResult.OK);
        }

        void lookAt(BlockRequest request) {
            long seen = 0;
            for (int i = looks; i > 0; i--) {
                seen += look.at(request, room) + 1;
            }
            sum = seen;
        }
    }

    private static long dataOffset(RawFrontEnd front) {
        return (front.region.bytes() - DATA_BYTES) / DATA_BYTES * DATA_BYTES;
    }

    /** Of a request whose data lies behind the rings. */
    private static int status(RawFrontEnd front, Look look) {
        assertThat(front.queue.submit(look.type(), 8, front.region.guestAddress() + dataOffset(front), 4096)).isNotNegative();
        boolean _ = front.queue.publish();
        int[] found = {-1};
        ServerFixture.await("the completion", () -> {
            int _ = front.queue.poll((completed, value, written) -> found[0] = value);
            return found[0] >= 0;
        });
        return found[0];
    }

    private static void truncateUnder(BlockStage stage, Looks looks) throws IOException {
        try (ServerFixture other = ServerFixture.start(1);
                ServerFixture fixture = ServerFixture.staged(builder -> builder.stage(stage));
                RawFrontEnd neighbour = RawFrontEnd.running(other);
                RawFrontEnd front = RawFrontEnd.running(fixture)) {
            for (int i = 0; i < WARM_UP_REQUESTS; i++) {
                assertThat(status(front, looks.look)).isEqualTo(BlkRequest.S_OK);
            }
            assertThat(looks.sum).as("it has looked").isNotZero();
            assertThat(LinuxFile.ftruncate(front.region.fd(), dataOffset(front))).isZero();
            looks.looks = 1;
            for (int i = 0; i < 3; i++) {
                assertThat(status(front, looks.look)).as("look %d", i).isEqualTo(BlkRequest.S_IOERR);
            }
            ServerFixture.await("three EFAULT", () -> fixture.events.completed.getOrDefault(Errno.EFAULT, 0L) == 3);
            assertThat(neighbour.reads()).as("other disks").isTrue();
            assertThat(fixture.server.state().rings().getFirst().broken()).as("the request alone failed").isFalse();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldFailTheRequestAloneWhenItsMemoryIsTruncatedUnderAStage(Look look) throws IOException {
        Looks looks = new Looks(look);
        truncateUnder(looks, looks);
    }

    @ParameterizedTest
    @EnumSource
    void shouldFailTheRequestAloneWhenAStageLooksOnAnotherThread(Look look) throws IOException {
        Scheduler elsewhere = Schedulers.newSingle("truncated-under-stage", true);
        Looks looks = new Looks(look);
        try {
            truncateUnder((request, chain) -> Mono.<BlockResult>fromCallable(() -> {
                looks.lookAt(request);
                return BlockResult.OK;
            }).subscribeOn(elsewhere), looks);
        } finally {
            elsewhere.dispose();
        }
    }

    @Test
    void shouldFailTheRequestAloneWhenAnOperatorLooks() throws IOException {
        Looks looks = new Looks(Look.ALL);
        looks.looks = 1;
        try (ServerFixture fixture = ServerFixture.staged(builder -> builder.operator(flux -> flux.doOnNext(request -> {
            if (request.sector() == 8) {
                looks.lookAt(request);
            }
        })));
                RawFrontEnd front = RawFrontEnd.running(fixture)) {
            assertThat(status(front, Look.ALL)).isEqualTo(BlkRequest.S_OK);
            assertThat(LinuxFile.ftruncate(front.region.fd(), dataOffset(front))).isZero();
            assertThat(status(front, Look.ALL)).isEqualTo(BlkRequest.S_IOERR);
            ServerFixture.await("EFAULT", () -> fixture.events.completed.getOrDefault(Errno.EFAULT, 0L) == 1);
            assertThat(front.reads()).isTrue();
        }
    }
}
