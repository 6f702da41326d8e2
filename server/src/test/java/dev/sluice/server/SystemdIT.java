package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.linux.DatagramReceiver;
import dev.sluice.linux.UnixSocket;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code serve} under a service manager: notification, and sockets that the manager listens on. */
class SystemdIT {
    private static final long MIB = 1 << 20;
    private static final Path ACTIVATE = Path.of("/usr/bin/systemd-socket-activate");

    @TempDir
    Path directory;

    Path image;
    Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, MIB);
    }

    @Test
    void shouldTellTheManagerWhenItIsReadyAndWhenItStops() throws Exception {
        String notify = directory.resolve("notify").toString();
        try (DatagramReceiver manager = DatagramReceiver.at(notify);
                SluiceProcess serve = start(List.of(), Map.of("NOTIFY_SOCKET", notify), "serve", "--blk-file", image, "--socket-path", socket)) {
            assertThat(manager.receive()).startsWith("READY=1\nSTATUS=" + image).contains("io_uring");
            BlockDriver.open(socket.toString(), BlockDriverOptions.defaults()).close();
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).isZero();
            assertThat(ended.err()).containsOnlyOnce("terminating: waiting for requests in flight on 1 disk\n");
            assertThat(awaited(manager, "STOPPING=1")).startsWith("STOPPING=1\n");
        }
    }

    @Test
    void shouldTellTheManagerOfAReload() throws Exception {
        String notify = "@sluice-it-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
        Path file = Files.writeString(directory.resolve("disks.yaml"), "disks:\n  - image: disk.img\n    socket: disk.sock\n");
        try (DatagramReceiver manager = DatagramReceiver.at(notify);
                SluiceProcess serve = start(List.of(), Map.of("NOTIFY_SOCKET", notify), "serve", "--config", file)) {
            assertThat(manager.receive()).isEqualTo("READY=1\nSTATUS=1 disk, 0 connections");
            Files.writeString(file, "disks: []\n");
            serve.signal("HUP");
            assertThat(manager.receive()).matches("RELOADING=1\nMONOTONIC_USEC=[0-9]+");
            assertThat(manager.receive()).isEqualTo("READY=1\nSTATUS=0 disks, 0 connections");
            assertThat(serve.terminate().status()).isZero();
            assertThat(manager.receive()).startsWith("STOPPING=1\n");
        }
    }

    @Test
    void shouldFeedTheWatchdogAndReportConnections() throws Exception {
        String notify = directory.resolve("notify").toString();
        Map<String, String> environment = Map.of("NOTIFY_SOCKET", notify, "WATCHDOG_USEC", "2000000");
        try (DatagramReceiver manager = DatagramReceiver.at(notify);
                SluiceProcess serve = start(List.of(), environment, "serve", "--loops", 2, "--blk-file", image, "--socket-path", socket)) {
            assertThat(awaited(manager, "READY=1")).endsWith(" on " + socket + ", 0 connections");
            assertThat(awaited(manager, "WATCHDOG=1")).isEqualTo("WATCHDOG=1");
            try (BlockDriver _ = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                assertThat(awaited(manager, "STATUS=")).endsWith(" on " + socket + ", 1 connection");
            }
            assertThat(awaited(manager, "STATUS=")).endsWith(", 0 connections");
            assertThat(awaited(manager, "WATCHDOG=1")).isEqualTo("WATCHDOG=1");
            assertThat(serve.terminate().status()).isZero();
            assertThat(awaited(manager, "STOPPING=1")).contains("EXTEND_TIMEOUT_USEC=");
        }
    }

    /** The next datagram that begins so. */
    private static String awaited(DatagramReceiver manager, String begin) {
        String datagram = manager.receive();
        while (!datagram.startsWith(begin)) {
            datagram = manager.receive();
        }
        return datagram;
    }

    @Test
    void shouldServeAllTheSameWhenTheManagerCannotBeTold() throws Exception {
        try (SluiceProcess serve = start(
                List.of(), Map.of("NOTIFY_SOCKET", directory.resolve("nobody").toString()), "serve", "--blk-file", image, "--socket-path", socket)) {
            serve.ready();
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).isZero();
            assertThat(ended.err()).contains("NOTIFY_SOCKET", "ENOENT");
        }
    }

    @Test
    void shouldServeOnTheSocketThatItWasPassed() throws Exception {
        activationNeeded();
        try (SluiceProcess serve = start(List.of(ACTIVATE.toString(), "-l", socket.toString()), Map.of(), "serve", "--blk-file", image)) {
            serve.awaitErr("Listening on");
            // The first connection starts the process, and is served.
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                assertThat(driver.config().capacityBytes()).isEqualTo(MIB);
            }
            BlockDriver.open(socket.toString(), BlockDriverOptions.defaults()).close();
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains("ready: " + image);
            // The path is the manager's.
            assertThat(socket).exists();
        }
    }

    @Test
    void shouldServeAConnectionThatItInheritsAndEndWithIt() throws Exception {
        activationNeeded();
        // One process a connection, which is its descriptor 3; --fd is for managers that tell nothing by LISTEN_FDS.
        List<String> inherits = List.of(ACTIVATE.toString(), "--accept", "-l", socket.toString(),
                "sh", "-c", "unset LISTEN_FDS LISTEN_PID LISTEN_FDNAMES; exec \"$@\"", "sh");
        try (SluiceProcess serve = start(inherits, Map.of(), "serve", "--blk-file", image, "--fd", 3)) {
            serve.awaitErr("Listening on");
            byte[] written = new byte[4096];
            Arrays.fill(written, (byte) 0x5A);
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                driver.disk(0).write(8192, MemorySegment.ofArray(written));
            }
            assertThat(serve.awaitErr("died with code")).contains("died with code 0");
            assertThat(serve.awaitOut("fd 3")).startsWith("ready: " + image);
            assertThat(Arrays.copyOfRange(Files.readAllBytes(image), 8192, 8192 + written.length)).isEqualTo(written);
        }
    }

    /** Descriptor 3 is then a file of the JVM, which ends with SIGSEGV where that is closed. */
    @Test
    void shouldSayThatADescriptorThatNobodyHasPassedIsNoSocket() throws Exception {
        List<String> claims = List.of("sh", "-c", "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\" 3>&-", "sh");
        try (SluiceProcess serve = start(claims, Map.of(), "serve", "--blk-file", image)) {
            refused(serve.await(), "file descriptor 3", "is not a stream socket of AF_UNIX");
        }
        List<String> keeps = List.of("sh", "-c", "exec \"$@\" 3>&-", "sh");
        try (SluiceProcess serve = start(keeps, Map.of(), "serve", "--blk-file", image, "--fd", 3)) {
            refused(serve.await(), "file descriptor 3", "pass a stream socket of AF_UNIX");
        }
        try (SluiceProcess serve = start(List.of(), Map.of(), "serve", "--blk-file", image, "--fd", -1)) {
            refused(serve.await(), "-1 is not a file descriptor");
        }
    }

    @Test
    void shouldLeaveAloneWhatIsNoSocketBehindOneThatIs() throws Exception {
        activationNeeded();
        List<String> activate = List.of(ACTIVATE.toString(), "-l", socket.toString(), "sh", "-c", "export LISTEN_FDS=2; exec \"$@\" 4>&-", "sh");
        try (SluiceProcess serve = start(activate, Map.of(), "serve", "--blk-file", image)) {
            serve.awaitErr("Listening on");
            UnixSocket.connectTo(socket.toString()).close();
            refused(serve.await(), "file descriptor 4", "is not a stream socket of AF_UNIX");
        }
    }

    private static void refused(SluiceProcess.Ended ended, String... named) {
        assertThat(ended.status()).as(ended.err()).isEqualTo(1);
        assertThat(ended.err().lines().filter(line -> line.startsWith("sluice: error: "))).singleElement().asString().contains(named);
    }

    @Test
    void shouldSayThatASocketThatItWasPassedIsNotUsed() throws Exception {
        activationNeeded();
        Path passed = directory.resolve("passed.sock");
        try (SluiceProcess serve =
                start(List.of(ACTIVATE.toString(), "-l", passed.toString(), "--fdname", "first"), Map.of(), "serve", "--blk-file", image, "--socket-path",
                        socket)) {
            serve.awaitErr("Listening on");
            try (UnixSocket _ = UnixSocket.connectTo(passed.toString())) {
                serve.ready();
                assertThat(serve.awaitErr(" WARN ")).contains("ignoring first from the service manager: serving on " + socket);
            }
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldPutADiskBackOnTheSocketThatItWasPassedByName() throws Exception {
        activationNeeded();
        Path other = directory.resolve("other.sock");
        Path file = Files.writeString(directory.resolve("disks.yaml"), "disks:\n  - image: disk.img\n    activation: first\n");
        List<String> activate = List.of(ACTIVATE.toString(), "-l", socket.toString(), "-l", other.toString(), "--fdname", "first:second");
        try (SluiceProcess serve = start(activate, Map.of(), "serve", "--config", file)) {
            serve.awaitErr("Listening on");
            BlockDriver.open(socket.toString(), BlockDriverOptions.defaults()).close();
            serve.ready();
            Files.writeString(file, "disks:\n  - image: disk.img\n    activation: second\n");
            serve.signal("HUP");
            serve.awaitOut("added [disk.img], removed [disk.img]");
            BlockDriver.open(other.toString(), BlockDriverOptions.defaults()).close();
            Files.writeString(file, "disks:\n  - image: disk.img\n    activation: first\n");
            serve.signal("HUP");
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                assertThat(driver.config().capacityBytes()).isEqualTo(MIB);
            }
            Files.writeString(file, "disks:\n  - image: disk.img\n    activation: third\n");
            serve.signal("HUP");
            assertThat(serve.awaitErr("'third'")).contains("first, second");
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldKeepNoDescriptorOfADiskThatCannotBeServedOnReload() throws Exception {
        activationNeeded();
        Path file = Files.writeString(directory.resolve("disks.yaml"), "disks: []\n");
        // The first connection, which starts the process, waits for a disk.
        try (SluiceProcess serve = start(List.of(ACTIVATE.toString(), "-l", socket.toString(), "--fdname", "first"), Map.of(), "serve", "--config", file)) {
            serve.awaitErr("Listening on");
            try (UnixSocket _ = UnixSocket.connectTo(socket.toString())) {
                serve.ready();
                Files.writeString(file, "disks:\n  - image: disk.img\n    activation: first\n    loop-of-queue: {0: 7}\n");
                long before = reloadInVain(serve, 1);
                assertThat(serve.awaitErr("loop of queue 0")).contains("sluice: error: disk disk.img: loop of queue 0: 7 is not from 0 to 0");
                long after = before;
                for (int times = 2; times <= 6; times++) {
                    after = reloadInVain(serve, times);
                }
                assertThat(after).as("sockets that the process has open").isEqualTo(before);
            }
            Files.writeString(file, "disks:\n  - image: disk.img\n    activation: first\n    loop-of-queue: {0: 0}\n");
            serve.signal("HUP");
            serve.awaitOut("added [disk.img]");
            BlockDriver.open(socket.toString(), BlockDriverOptions.defaults()).close();
            assertThat(serve.terminate().status()).isZero();
        }
    }

    /** How many sockets the process has open when it has said for the n-th time that nothing has changed. */
    private static long reloadInVain(SluiceProcess serve, int times) throws Exception {
        serve.signal("HUP");
        serve.awaitOut("the disks are unchanged\n", times);
        try (Stream<Path> descriptors = Files.list(Path.of("/proc", Long.toString(serve.pid()), "fd"))) {
            return descriptors.filter(SystemdIT::isSocket).count();
        }
    }

    private static boolean isSocket(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
        } catch (IOException closedMeanwhile) {
            return false;
        }
    }

    private static SluiceProcess start(List<String> wrapper, Map<String, String> environment, Object... arguments) throws Exception {
        return SluiceProcess.startWith(SluiceProcess.NATIVE_ACCESS, wrapper, environment, SluiceProcess.MAIN, arguments);
    }

    private static void activationNeeded() {
        assumeThat(ACTIVATE).as("SKIPPED: socket activation, as systemd-socket-activate is not installed (apt-get install systemd)").isExecutable();
    }
}
