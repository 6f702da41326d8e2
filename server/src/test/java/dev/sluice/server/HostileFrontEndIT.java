package dev.sluice.server;

import static dev.sluice.server.HandMadeFrontEnd.GUEST;
import static dev.sluice.server.HandMadeFrontEnd.MEMORY_BYTES;
import static dev.sluice.server.HandMadeFrontEnd.ints;
import static dev.sluice.server.HandMadeFrontEnd.longs;
import static dev.sluice.server.HandMadeRing.INDIRECT;
import static dev.sluice.server.HandMadeRing.NEXT;
import static dev.sluice.server.HandMadeRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code sluice serve} against somebody who means harm, with mutations from a seed. Beside every attack somebody well-behaved has to get on, with the right
 * data; and when all is over the process has no more descriptors than before, hardly more memory, and ends as it should.
 */
class HostileFrontEndIT {
    private static final int ROUNDS = 400;
    private static final int DISK_BYTES = 8 << 20;
    /** Sectors that attacks never name; those before are theirs. */
    private static final int GOOD_SECTORS = 8192;
    private static final int HOSTILE_SECTORS = 1024;
    private static final long MOST_GROWTH_KIB = 64 << 10;
    private static final int SCM_MAX_FD = 253;

    /** The heap is there from the start, so that what grows is a leak. */
    private static final List<String> JVM = List.of(
            "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-Xms96m", "-Xmx96m", "-XX:+AlwaysPreTouch");

    @TempDir
    Path directory;

    private final long seed = Long.getLong("sluice.seed", System.nanoTime() & Integer.MAX_VALUE);
    private final SplittableRandom random = new SplittableRandom(seed);
    private Path socket;
    private SluiceProcess serve;

    @BeforeEach
    void startServing() throws Exception {
        System.out.println("hostile front ends: seed " + seed + " (repeat with -Dsluice.seed=" + seed + ")");
        socket = directory.resolve("disk.sock");
        Path image = directory.resolve("disk.img");
        SparseFile.create(image, DISK_BYTES);
        serve = SluiceProcess.serveWith(JVM, "--socket-path", socket, "--blk-file", image, "--num-queues", 2);
    }

    @AfterEach
    void stopServing() {
        serve.close();
    }

    @Test
    void shouldServeOneQueueWhateverIsDoneToAnother() throws Exception {
        attackInRounds(() -> {
            try (HandMadeFrontEnd front = HandMadeFrontEnd.running(socket, 2)) {
                for (int i = 0; i < 3; i++) {
                    attackQueue(front.ring(0));
                    verify(front.ring(1));
                }
                if (random.nextInt(3) == 0) {
                    front.ring(0).startOver();
                    verify(front.ring(0));
                    verify(front.ring(1));
                }
            }
        });
    }

    @Test
    void shouldServeTheNextFrontEndWhateverOneHasDone() throws Exception {
        attackInRounds(() -> {
            attackConnection();
            try (HandMadeFrontEnd good = HandMadeFrontEnd.running(socket, 1)) {
                verify(good.ring(0));
            }
        });
    }

    private interface Attack {
        void run() throws Exception;
    }

    private void attackInRounds(Attack attack) throws Exception {
        for (int i = 0; i < ROUNDS / 4; i++) {
            attack.run();
        }
        // The second half of a pair: a connection that has ended on our side is perhaps not yet cleared up on the other.
        awaitIdle();
        long descriptors = descriptors();
        long residentKib = residentKib();
        for (int i = 0; i < ROUNDS; i++) {
            attack.run();
        }
        awaitIdle();
        assertThat(descriptors()).as("descriptors of the process").isEqualTo(descriptors);
        assertThat(residentKib() - residentKib).as("KiB more in memory").isLessThan(MOST_GROWTH_KIB);
        SluiceProcess.Ended ended = serve.terminate();
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.err()).doesNotContain("Exception", "Error:", "error of Sluice");
    }

    /** One connection is served after another, so one that is answered finds what former ones had cleared up; its own end is all that is left. */
    private void awaitIdle() throws IOException {
        try (HandMadeFrontEnd last = HandMadeFrontEnd.connect(socket)) {
            last.negotiate();
            // What no front end may send: the back end clears up, and then hangs up.
            assertThat(last.send(HandMadeFrontEnd.GET_FEATURES, 0, longs())).isTrue();
            assertThat(last.awaitHangUp()).isTrue();
        }
    }

    private void verify(HandMadeRing ring) {
        byte[] content = new byte[4096];
        random.nextBytes(content);
        ring.verify(GOOD_SECTORS + 8L * random.nextInt(GOOD_SECTORS / 8), content);
    }

    private long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/" + serve.pid() + "/fd"))) {
            return open.count();
        }
    }

    private long residentKib() throws IOException {
        String line = Files.readAllLines(Path.of("/proc/" + serve.pid() + "/status")).stream()
                .filter(text -> text.startsWith("VmRSS:"))
                .findFirst()
                .orElseThrow();
        return Long.parseLong(line.replaceAll("\\D", ""));
    }

    // ---- what a guest can do to its queue

    private void attackQueue(HandMadeRing ring) {
        ring.header(random.nextInt(20), random.nextInt(HOSTILE_SECTORS));
        switch (random.nextInt(9)) {
            case 0 -> randomDescriptors(ring);
            case 1 -> loop(ring);
            case 2 -> {
                ring.jump(random.nextInt(HandMadeRing.SIZE + 1, 0x10000));
                ring.show();
            }
            case 3 -> {
                ring.offer(random.nextInt(HandMadeRing.SIZE, 0x10000));
                ring.show();
            }
            case 4 -> sameHeadTwice(ring);
            case 5 -> indirect(ring);
            case 6 -> manySegments(ring);
            case 7 -> statusAnywhere(ring);
            default -> changeInFlight(ring);
        }
    }

    /** In the queue's own data, at an edge of memory, or nowhere; never in what another queue uses. */
    private long address(HandMadeRing ring) {
        return switch (random.nextInt(8)) {
            case 0 -> 0;
            case 1 -> GUEST - 1;
            case 2 -> GUEST + MEMORY_BYTES - 16;
            case 3 -> GUEST + MEMORY_BYTES;
            case 4 -> -16;
            case 5 -> random.nextLong() | 1L << 62;
            default -> ring.guest(ring.data + (random.nextBoolean() ? 0 : 512L * random.nextInt(1, 16)));
        };
    }

    private long length() {
        return switch (random.nextInt(8)) {
            case 0 -> 0;
            case 1 -> 0xFFFF_FFFFL;
            case 2 -> 0x8000_0000L;
            case 3 -> random.nextInt(1, 17);
            case 4 -> 513;
            default -> 512;
        };
    }

    private void randomDescriptors(HandMadeRing ring) {
        for (int i = 0; i < HandMadeRing.SIZE; i++) {
            int flags = random.nextInt(8) == 0 ? random.nextInt(0x10000) : random.nextInt(4);
            ring.descriptor(i, address(ring), length(), flags, random.nextInt(6) == 0 ? random.nextInt(0x10000) : random.nextInt(HandMadeRing.SIZE));
        }
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            ring.offer(random.nextInt(HandMadeRing.SIZE));
        }
        ring.show();
    }

    private void loop(HandMadeRing ring) {
        int length = random.nextInt(1, HandMadeRing.SIZE);
        for (int i = 0; i < length; i++) {
            ring.descriptor(i, ring.guest(ring.data), random.nextInt(3) * 16L, NEXT | (random.nextBoolean() ? WRITE : 0), (i + 1) % length);
        }
        ring.offer(random.nextInt(length));
        ring.show();
    }

    private void sameHeadTwice(HandMadeRing ring) {
        ring.descriptor(0, ring.guest(ring.data), 16, NEXT, 1);
        ring.descriptor(1, ring.guest(ring.data + 512), 513, WRITE, 0);
        ring.offer(0);
        ring.offer(0);
        ring.show();
    }

    /** Length zero or no multiple of 16, nested, past the end of memory, loops, next beyond the table. */
    private void indirect(HandMadeRing ring) {
        int table = ring.data + 0x4000;
        int entries = random.nextInt(1, 64);
        for (int i = 0; i < entries; i++) {
            int flags = random.nextInt(10) == 0 ? INDIRECT : random.nextInt(4);
            ring.descriptorAt(table + 16L * i, address(ring), length(), flags, random.nextInt(8) == 0 ? random.nextInt(0x10000) : i + 1);
        }
        long length = random.nextInt(4) == 0 ? random.nextInt(40) : 16L * entries;
        long at = random.nextInt(4) == 0 ? address(ring) : ring.guest(table + (random.nextInt(4) == 0 ? 1 : 0));
        ring.descriptor(0, at, length, INDIRECT | (random.nextInt(4) == 0 ? NEXT : 0) | (random.nextBoolean() ? WRITE : 0), 1);
        ring.offer(0);
        ring.show();
    }

    /** Around seg_max and far beyond it, some of length zero. */
    private void manySegments(HandMadeRing ring) {
        int table = ring.data + 0x4000;
        int segments = random.nextBoolean() ? random.nextInt(120, 150) : random.nextInt(1, 1000);
        ring.descriptorAt(table, ring.guest(ring.data), 16, NEXT, 1);
        for (int i = 1; i <= segments; i++) {
            ring.descriptorAt(table + 16L * i, ring.guest(ring.data + 512), random.nextInt(8) == 0 ? 0 : 512, NEXT | WRITE, i + 1);
        }
        ring.descriptorAt(table + 16L * (segments + 1), ring.guest(ring.data + 16), 1, WRITE, 0);
        ring.descriptor(0, ring.guest(table), 16L * (segments + 2), INDIRECT, 0);
        ring.offer(0);
        ring.show();
    }

    /** The data and its status over the header, the queue's own descriptors or its available ring. */
    private void statusAnywhere(HandMadeRing ring) {
        ring.descriptor(0, ring.guest(ring.data), 16, NEXT, 1);
        ring.descriptor(1, ring.guest(random.nextBoolean() ? ring.data - 256 : random.nextInt(0x400)), 513, WRITE, 0);
        ring.offer(0);
        ring.show();
    }

    private void changeInFlight(HandMadeRing ring) {
        for (int i = 0; i < HandMadeRing.SIZE; i++) {
            ring.descriptor(i, ring.guest(ring.data), 16, NEXT, (i + 1) % HandMadeRing.SIZE);
        }
        for (int i = 0; i < 100; i++) {
            // Flags and links; an address stays where it is, so that no answer goes astray.
            ring.poke(16L * random.nextInt(HandMadeRing.SIZE) + 12 + random.nextInt(4), (byte) random.nextInt(8));
            if (random.nextInt(8) == 0) {
                ring.offer(random.nextInt(HandMadeRing.SIZE));
                ring.show();
            }
        }
    }

    // ---- what a front end can do

    private void attackConnection() throws Exception {
        switch (random.nextInt(9)) {
            case 0 -> bytes(random.nextInt(1, 3000));
            case 1 -> halfAMessage();
            case 2 -> descriptorFlood();
            case 3 -> descriptorsByteByByte();
            case 4 -> sizeThatCannotBe();
            case 5 -> anyMessages();
            case 6 -> truncatedMemory();
            case 7 -> fullEventFds();
            default -> repliesNeverRead();
        }
    }

    private void bytes(int count) throws IOException {
        byte[] noise = new byte[count];
        random.nextBytes(noise);
        try (HandMadeFrontEnd front = HandMadeFrontEnd.connect(socket)) {
            boolean _ = front.sendBytes(noise);
        }
    }

    /** Not with the connection's own socket, which would stay open for as long as a message may take. */
    private void halfAMessage() throws IOException {
        byte[] message = new byte[52];
        System.arraycopy(ints(random.nextInt(45), 1, 40), 0, message, 0, 12);
        try (HandMadeFrontEnd front = HandMadeFrontEnd.connect(socket)) {
            boolean _ = front.sendBytes(Arrays.copyOf(message, random.nextInt(1, 52)), front.memoryFd());
        }
    }

    private void descriptorFlood() throws IOException {
        try (HandMadeFrontEnd front = HandMadeFrontEnd.connect(socket)) {
            int[] many = new int[random.nextBoolean() ? SCM_MAX_FD : random.nextInt(1, 12)];
            Arrays.fill(many, random.nextBoolean() ? front.memoryFd() : front.socketFd());
            boolean going = true;
            for (int i = 0; i < 3 && going; i++) {
                going = front.send(random.nextInt(45), 9, longs(random.nextInt(3)), many);
            }
        }
    }

    private void descriptorsByteByByte() throws IOException {
        try (HandMadeFrontEnd front = HandMadeFrontEnd.connect(socket)) {
            boolean going = true;
            for (byte value : ints(HandMadeFrontEnd.SET_FEATURES, 1, 8, 0, 0)) {
                going = going && front.sendBytes(new byte[] {value}, front.memoryFd());
            }
        }
    }

    private void sizeThatCannotBe() throws IOException {
        int[] sizes = {-1, Integer.MIN_VALUE, 4096, 269};
        try (HandMadeFrontEnd front = HandMadeFrontEnd.connect(socket)) {
            boolean _ = front.sendBytes(ints(random.nextInt(45), 1, sizes[random.nextInt(sizes.length)]));
            assertThat(front.awaitHangUp()).isTrue();
        }
    }

    private void anyMessages() throws IOException {
        try (HandMadeFrontEnd front = random.nextBoolean() ? HandMadeFrontEnd.running(socket, 2) : HandMadeFrontEnd.connect(socket)) {
            int[] fds = {front.memoryFd(), front.socketFd(), front.ring(0).kick.number(), front.ring(0).call.number()};
            boolean going = true;
            for (int i = random.nextInt(1, 30); i > 0 && going; i--) {
                byte[] payload = new byte[random.nextInt(3) == 0 ? random.nextInt(300) : 8 * random.nextInt(1, 6)];
                if (random.nextBoolean()) {
                    random.nextBytes(payload);
                } else {
                    byte[] small = ints(random.nextInt(3), random.nextInt(20));
                    System.arraycopy(small, 0, payload, 0, Math.min(small.length, payload.length));
                }
                int[] with = new int[random.nextInt(3) == 0 ? random.nextInt(1, 10) : 0];
                Arrays.setAll(with, ignored -> fds[random.nextInt(fds.length)]);
                going = front.send(random.nextInt(46), random.nextBoolean() ? 1 : 9, payload, with);
            }
        }
    }

    private void truncatedMemory() throws IOException {
        try (HandMadeFrontEnd front = HandMadeFrontEnd.running(socket, 2)) {
            HandMadeRing ring = front.ring(0);
            ring.header(HandMadeRing.READ_REQUEST, 0);
            for (int head = 0; head < HandMadeRing.SIZE; head += 2) {
                ring.descriptor(head, ring.guest(ring.data), 16, NEXT, head + 1);
                ring.descriptor(head + 1, ring.guest(ring.data + 512), 4097, WRITE, 0);
                ring.offer(head);
            }
            if (random.nextBoolean()) {
                ring.show();
            }
            // All of it, or what the data lie in.
            assertThat(LinuxFile.ftruncate(front.memoryFd(), random.nextBoolean() ? 0 : 0x40000)).isZero();
            ring.kick();
            front.ring(1).kick();
            if (random.nextBoolean()) {
                assertThat(front.ask(HandMadeFrontEnd.GET_VRING_BASE, ints(0, 0))).hasSize(8);
            }
        }
    }

    /** Counters that can take no more, on open files whose flags are changed behind the back end's back. */
    private void fullEventFds() throws IOException {
        try (HandMadeFrontEnd front = HandMadeFrontEnd.running(socket, 2);
                Fd full = Fd.adopt(HandMadeFrontEnd.newEventFd());
                NativeBlock most = NativeMemory.allocate(8, 8)) {
            NativeMemory.putLong(most.address(), 0xFFFF_FFFF_FFFF_FFFEL);
            assertThat(LinuxFile.write(full.number(), most.address(), 8)).isEqualTo(8);
            front.tell(HandMadeFrontEnd.SET_VRING_CALL, longs(0), full.number());
            front.tell(HandMadeFrontEnd.SET_VRING_ERR, longs(0), full.number());
            assertThat(LinuxFile.setNonBlocking(full.number(), false)).isZero();
            verify(front.ring(0));
            verify(front.ring(1));
            front.ring(0).jump(0x4000);
            front.ring(0).show();
            verify(front.ring(1));
        }
    }

    private void repliesNeverRead() throws IOException {
        try (HandMadeFrontEnd front = HandMadeFrontEnd.connect(socket)) {
            assertThat(LinuxFile.setNonBlocking(front.socketFd(), true)).isZero();
            boolean going = true;
            for (int i = 0; i < 5000 && going; i++) {
                going = front.send(HandMadeFrontEnd.GET_FEATURES, 1, longs());
            }
        }
    }

    @Test
    void shouldRefuseDescriptorsThatAreOfTheWrongKind() throws Exception {
        try (HandMadeFrontEnd front = HandMadeFrontEnd.running(socket, 1);
                Fd memfd = Fd.adopt(Memfd.create("no eventfd", Memfd.MFD_CLOEXEC));
                Fd zero = LinuxFile.openOrThrow("/dev/zero", LinuxFile.O_RDWR, 0)) {
            for (int fd : new int[] {memfd.number(), zero.number(), front.socketFd()}) {
                for (int request : new int[] {HandMadeFrontEnd.SET_VRING_KICK, HandMadeFrontEnd.SET_VRING_CALL, HandMadeFrontEnd.SET_VRING_ERR}) {
                    assertThat(front.accepted(request, longs(0), fd)).as("request %d", request).isFalse();
                }
            }
            for (int fd : new int[] {zero.number(), front.socketFd(), front.ring(0).kick.number()}) {
                assertThat(front.accepted(HandMadeFrontEnd.SET_MEM_TABLE, longs(1, GUEST, 4096, 0, 0), fd)).isFalse();
            }
            verify(front.ring(0));
        }
    }
}
