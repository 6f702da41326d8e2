package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.QueueGroup;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.queue.CallBatch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/**
 * A session takes any bytes with any descriptors, and its rings any memory: it ends with a violation or with the bytes, after no more messages than they can
 * hold, and nothing is left of it: no descriptor, no mapping, no request.
 *
 * <pre>
 * input: piece pieces[]
 * piece: u8 0xff; u16 offset; u8 count; u8 bytes[count]                          are put into the memory that the front end shares
 * piece: u8 kind of descriptors << 4 | number of descriptors; u8 count; u8 bytes[count]    are sent
 * kinds of descriptors: 0 an eventfd, 1 a memfd of 64 KiB, 2 one of the two after the other, 3 something else
 * </pre>
 */
final class VhostUserSessionFuzzTest {
    private static final int MEMORY_BYTES = 1 << 16;
    private static final int MEMORY_PIECE = 0xFF;
    /** As many as fit into the buffers of a socket while nobody reads. */
    private static final int MAX_PIECES = 128;
    private static final int MAX_SENT_BYTES = 4096;
    private static final int MAX_SENT_FDS = 64;
    private static final int MAX_FDS_IN_PIECE = 10;
    private static final int QUEUES = 2;
    private static final int QUEUE_SIZE = 64;
    private static final String MEMORY_NAME = "sluice-fuzz";
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(Patience.seconds(60));

    @SuppressWarnings("NullAway.Init") // before all
    private static InlineLoop loop;

    /** For all inputs: the kernel takes milliseconds to give its context back. */
    @SuppressWarnings("NullAway.Init")
    private static CallBatch calls;

    @BeforeAll
    static void makeLoop() throws IOException {
        loop = new InlineLoop();
        calls = new CallBatch(loop);
    }

    @AfterAll
    static void closeLoop() {
        calls.close();
        loop.close();
    }

    @FuzzTest(maxDuration = "2m")
    void shouldLeaveNothingBehindWhenAFrontEndSendsAnything(byte[] input) throws Exception {
        BlockGeometry geometry = new BlockGeometry(1 << 20, 512, 4096, 0, false, true, true);
        try (SimulatedBackend backend = new SimulatedBackend(geometry, SimulatedBackend.DEFAULT_CAPACITY, SimulatedFaults.NONE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build()) {
            List<String> before = opened();
            AtomicLong quarantined = new AtomicLong();
            serve(input, new VirtioBlkDevice(() -> geometry, QUEUES, 126), pipeline, quarantined);
            assertThat(opened()).as("open files").isEqualTo(before);
            assertThat(quarantined).hasValue(0);
            assertThat(Files.readString(Path.of("/proc/self/maps"))).as("mappings").doesNotContain(MEMORY_NAME);
            assertThat(loop.failures()).isEmpty();
        }
    }

    private static void serve(byte[] input, VirtioBlkDevice device, BlockPipeline pipeline, AtomicLong quarantined) throws IOException {
        try (UnixSocket.Pair sockets = UnixSocket.pair();
                Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC))) {
            int sent = send(input, sockets.first());
            assertThat(sockets.first().shutdown(UnixSocket.SHUT_WR)).isZero();
            assertThat(LinuxFile.setNonBlocking(sockets.second().fd().number(), true)).isZero();
            MappingQuarantine quarantine = new MappingQuarantine(quarantined);
            List<Virtqueue> rings = new ArrayList<>();
            for (int i = 0; i < QUEUES; i++) {
                rings.add(new Virtqueue(i, loop, calls, device, pipeline, new QueueGroup(), QUEUE_SIZE, quarantine));
            }
            MessageStream stream = new MessageStream(sockets.second(), wake.number(), PATIENCE_NANOS);
            int messages = 0;
            try (VhostUserSession session = new VhostUserSession(device, stream, rings, false, new ConnectionLog("fuzz"), quarantine)) {
                while (session.serveNext()) {
                    messages++;
                }
            } catch (ProtocolViolation ended) {
                assertThat(ended.rule()).isNotBlank();
            }
            assertThat(messages).isLessThanOrEqualTo(sent / VhostUser.HEADER_SIZE);
            assertThat(rings).extracting(Virtqueue::ringState).containsOnly(RingState.STOPPED);
        }
    }

    // ---- the front end

    /** Sends all there is, which no one reads yet. Returns the bytes. */
    private static int send(byte[] input, UnixSocket socket) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(input).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        int sent = 0;
        int sentFds = 0;
        try (Fd memory = Fd.adopt(Memfd.create(MEMORY_NAME, Memfd.MFD_CLOEXEC));
                Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
                NativeBlock bytes = NativeMemory.allocate(256, 8)) {
            assertThat(LinuxFile.ftruncate(memory.number(), MEMORY_BYTES)).isZero();
            try (Mapping mapping = Mapping.shared(memory.number(), 0, MEMORY_BYTES)) {
                for (int piece = 0; piece < MAX_PIECES && in.remaining() >= 2; piece++) {
                    int kind = in.get() & 0xFF;
                    if (kind == MEMORY_PIECE) {
                        int offset = in.remaining() < 3 ? 0 : in.getShort() & 0xFFFF;
                        int count = Math.min(Math.min(in.get() & 0xFF, in.remaining()), MEMORY_BYTES - offset);
                        MemorySegment.copy(MemorySegment.ofArray(input), in.position(), mapping.view(offset, count), 0, count);
                        in.position(in.position() + count);
                        continue;
                    }
                    int count = Math.min(in.get() & 0xFF, in.remaining());
                    if (count == 0 || sent + count > MAX_SENT_BYTES) {
                        return sent;
                    }
                    MemorySegment.copy(MemorySegment.ofArray(input), in.position(), bytes.segment(), 0, count);
                    in.position(in.position() + count);
                    int[] fds = fds(kind, Math.min(MAX_SENT_FDS - sentFds, MAX_FDS_IN_PIECE), event, memory, socket.fd());
                    sentFds += fds.length;
                    assertThat(socket.send(bytes.address(), count, fds)).isEqualTo(count);
                    sent += count;
                }
            }
        }
        return sent;
    }

    private static int[] fds(int kind, int most, Fd event, Fd memory, Fd other) {
        int[] fds = new int[Math.min(kind & 0xF, most)];
        for (int i = 0; i < fds.length; i++) {
            Fd sent = switch (kind >> 4 & 3) {
                case 0 -> event;
                case 1 -> memory;
                case 2 -> i % 2 == 0 ? event : memory;
                default -> other;
            };
            fds[i] = sent.number();
        }
        return fds;
    }

    // ---- what is open

    /** Descriptors of the kinds that a session has: others come and go with the JVM's classes and with Jazzer. */
    private static List<String> opened() throws IOException {
        List<String> opened = new ArrayList<>();
        try (DirectoryStream<Path> fds = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path fd : fds) {
                String name = LinuxFile.descriptorName(Integer.parseInt(fd.getFileName().toString()));
                if (name.contains("eventfd") || name.contains("memfd") || name.startsWith("socket")) {
                    opened.add(name);
                }
            }
        }
        opened.sort(null);
        return opened;
    }
}
