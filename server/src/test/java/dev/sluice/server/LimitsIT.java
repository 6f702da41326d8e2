package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code serve} where descriptors run out, and where somebody makes it log all the time. */
class LimitsIT {
    private static final int BAD_CONNECTIONS = 500;
    private static final Pattern PORT = Pattern.compile("metrics: http://127.0.0.1:(\\d+)/");
    private static final Pattern LINE = Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\S+ (INFO|WARN|ERROR) .*");

    @TempDir
    Path directory;

    Path image;
    Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 1 << 20);
    }

    @Test
    void shouldNameTheLimitWhenDescriptorsRunOutAndServeAgainWhenThereAreSome() throws Exception {
        try (SluiceProcess serve = serveFromArchives("--socket-path", socket, "--blk-file", image, "--metrics=127.0.0.1:0")) {
            Matcher port = PORT.matcher(serve.awaitOut("metrics: "));
            assertThat(port.find()).isTrue();
            try (HandMadeFrontEnd connected = HandMadeFrontEnd.connect(socket)) {
                connected.negotiate();
                limit(serve, firstFree(serve));
                // Its descriptor arrives where there is no room for it.
                assertThat(connected.sendBytes(message(HandMadeFrontEnd.SET_MEM_TABLE, memoryTable()), connected.memoryFd())).isTrue();
                assertThat(serve.awaitErr("RLIMIT_NOFILE")).contains("as many open files as it may", "LimitNOFILE=").doesNotContain("brings more than");
            }
            // The connection's end has made room: for none from here on.
            limit(serve, firstFree(serve));
            try (HandMadeFrontEnd _ = HandMadeFrontEnd.connect(socket);
                    Socket _ = new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(port.group(1)))) {
                serve.awaitErr("a connection waits and cannot be accepted: accept4: EMFILE");
                serve.awaitErr("out of file descriptors, refusing connections until some are free");
                // What waits now costs nothing: a core that spins takes far more than this, on a busy machine too.
                long before = cpuMillis(serve);
                Thread.sleep(4_000);
                assertThat(cpuMillis(serve) - before).as("ms of CPU in 4 s").isLessThan(400);
            }
            limit(serve, 1024);
            serve.awaitErr("accepting connections again");
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults());
                    Socket pages = new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(port.group(1)))) {
                driver.disk(0).write(0, MemorySegment.ofArray(new byte[4096]));
                pages.getOutputStream().write("GET /healthz HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                assertThat(new String(pages.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)).contains("200");
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.err()).doesNotContain("\tat ");
        }
    }

    @Test
    void shouldSayInOneLineThatTheLimitIsTooLowToStart() throws Exception {
        for (int limit : new int[] {16, 32}) {
            try (SluiceProcess serve =
                    SluiceProcess.startWith(SluiceProcess.NATIVE_ACCESS, List.of("prlimit", "--nofile=" + limit), Map.of(), SluiceProcess.MAIN,
                            "serve", "--socket-path", socket, "--blk-file", image)) {
                SluiceProcess.Ended ended = serve.await();
                assertThat(ended.status()).as("with %s: %s", limit, ended.err()).isEqualTo(1);
                assertThat(ended.err().lines()).as("with %s", limit).hasSize(1).first().asString().contains("sluice: error: ", "RLIMIT_NOFILE", "ulimit -n",
                        "LimitNOFILE=");
            }
        }
    }

    @Test
    void shouldLogLittleWhenSomebodyConnectsInVainAllTheTime() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image)) {
            for (int i = 0; i < BAD_CONNECTIONS; i++) {
                try (HandMadeFrontEnd bad = HandMadeFrontEnd.connect(socket)) {
                    bad.sendBytes(new byte[12]);
                    assertThat(bad.awaitHangUp()).isTrue();
                }
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            // Two lines each at first; a burst of each kind and then one a second now.
            assertThat(ended.err().lines().filter(line -> line.contains("front end") || line.contains("version"))).hasSizeBetween(2, BAD_CONNECTIONS / 2);
            assertThat(ended.err()).contains("message has version 0", "were not logged");
        }
    }

    @Test
    void shouldKeepEachLineALineWhenAPathHasANewline() throws Exception {
        Path odd = directory.resolve("o\ndd\u001B[2J.sock");
        Path oddImage = Files.move(image, directory.resolve("i\nmage"));
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", odd, "--blk-file", oddImage)) {
            BlockDriver.open(odd.toString(), BlockDriverOptions.defaults()).close();
            serve.awaitErr("front end disconnected");
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.out().lines()).hasSize(1);
            assertThat(ended.out()).contains("i\\nmage", "o\\ndd\\x1B[2J.sock");
            assertThat(ended.err().lines()).allMatch(line -> LINE.matcher(line).matches());
        }
        SluiceProcess.Ended missing = SluiceProcess.run("serve", "--socket-path", odd, "--blk-file", directory.resolve("no\nne"));
        assertThat(missing.err().lines()).hasSize(1).first().asString().contains("no\\nne");
    }

    /** As users have it: from directories of classes, as in tests, each new class takes a descriptor when it is first needed. */
    private SluiceProcess serveFromArchives(Object... arguments) throws Exception {
        String classes = System.getProperty("java.class.path");
        List<String> packed = new ArrayList<>();
        for (String entry : classes.split(":", -1)) {
            Path path = Path.of(entry);
            packed.add(Files.isDirectory(path) ? archive(path, directory.resolve(packed.size() + ".jar")).toString() : entry);
        }
        System.setProperty("java.class.path", String.join(":", packed));
        try {
            return SluiceProcess.serve(arguments);
        } finally {
            System.setProperty("java.class.path", classes);
        }
    }

    private static Path archive(Path classes, Path archive) throws IOException {
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(archive));
                Stream<Path> files = Files.walk(classes)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(new JarEntry(classes.relativize(file).toString()));
                Files.copy(file, out);
            }
        }
        return archive;
    }

    private static byte[] memoryTable() {
        return HandMadeFrontEnd.longs(1, HandMadeFrontEnd.GUEST, HandMadeFrontEnd.MEMORY_BYTES, HandMadeFrontEnd.USER, 0);
    }

    private static byte[] message(int request, byte[] payload) {
        byte[] header = HandMadeFrontEnd.ints(request, 1, payload.length);
        byte[] all = Arrays.copyOf(header, header.length + payload.length);
        System.arraycopy(payload, 0, all, header.length, payload.length);
        return all;
    }

    /** The number that the next descriptor of the process would have. */
    private static int firstFree(SluiceProcess serve) {
        int number = 0;
        while (Files.exists(Path.of("/proc", Long.toString(serve.pid()), "fd", Integer.toString(number)), LinkOption.NOFOLLOW_LINKS)) {
            number++;
        }
        return number;
    }

    /** The soft limit alone, so that it can be raised again. */
    private static void limit(SluiceProcess serve, int files) throws Exception {
        assertThat(new ProcessBuilder("prlimit", "--pid", Long.toString(serve.pid()), "--nofile=" + files + ":").start().waitFor()).isZero();
    }

    private static long cpuMillis(SluiceProcess serve) throws IOException {
        String stat = Files.readString(Path.of("/proc", Long.toString(serve.pid()), "stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        // proc_pid_stat(5): utime and stime are fields 14 and 15, in hundredths of a second.
        return 10 * (Long.parseLong(fields[11]) + Long.parseLong(fields[12]));
    }
}
