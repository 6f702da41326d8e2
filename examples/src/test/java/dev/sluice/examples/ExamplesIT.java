package dev.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.server.SluiceProcess;
import dev.sluice.server.SparseFile;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example programs, each from its own {@code main} or as {@code sluice example NAME}. */
class ExamplesIT {
    private static final long MIB = 1 << 20;
    private static final long SEED = 20261125;

    @TempDir
    Path directory;

    Path image;
    Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 8 * MIB);
    }

    @Test
    void shouldServeADiskWithThePartsPutTogetherByHand() throws Exception {
        try (SluiceProcess example = main("ServeDisk", image, socket).ready()) {
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults().withQueues(4))) {
                driver.disk(3).write(4096, MemorySegment.ofArray(random(4096)));
            }
            SluiceProcess.Ended ended = example.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(socket).doesNotExist();
        }
        assertThat(Files.readAllBytes(image)).contains(random(4096));
        SluiceProcess.Ended missing = SluiceProcess.run("example", "serve-disk", directory.resolve("none.img"), socket);
        oneError(missing, "none.img", "ENOENT");
    }

    @Test
    void shouldRefuseToWriteTwiceAndLetReadsPast() throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("example", "custom-stage");
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out().lines()).containsExactly(
                "write sectors  0 to  7  OK",
                "write sectors  8 to 15  OK",
                "write sectors  4 to 11  IOERR",
                "write sectors 16 to 19  OK",
                "read  sectors  0 to 15  OK",
                "flush sectors  0 to  0  OK",
                "6 requests: 4 through the stage, 2 bypassed it");
    }

    @Test
    void shouldServeAGuestThroughTheStageByItsName() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--blk-file", image, "--socket-path", socket, "--stage", "write-once");
                BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
            driver.disk(0).write(4096, MemorySegment.ofArray(random(4096)));
            assertThatThrownBy(() -> driver.disk(0).write(4096 + 512, MemorySegment.ofArray(new byte[512]))).hasMessageContaining("IOERR");
            byte[] read = new byte[4096];
            driver.disk(0).read(4096, MemorySegment.ofArray(read));
            assertThat(read).isEqualTo(random(4096));
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldCopyAnImageWithItsHoles() throws Exception {
        Path target = directory.resolve("copy.img");
        fill(image, 64 * MIB, List.of(0L, 5 * MIB, 63 * MIB));
        SluiceProcess.Ended ended = SluiceProcess.run("example", "copy-image", image, target, "--chunk-mib", 4);
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).contains("64.0 MiB, of which 3.0 MiB data; 16 chunks, each verified by its CRC32C");
        assertThat(Files.mismatch(image, target)).isEqualTo(-1);
        assertThat(allocatedBytes(target)).isLessThanOrEqualTo(4 * MIB);
        assertThat(directory.resolve("copy.img.copying")).doesNotExist();

        SluiceProcess.Ended again = SluiceProcess.run("example", "copy-image", image, target);
        oneError(again, "exists", "--overwrite");

        oneError(SluiceProcess.run("example", "copy-image", image, directory.resolve("none/copy.img")), "cannot create the target", "none/copy.img: ");
        SluiceProcess.Ended buffered = SluiceProcess.run("example", "copy-image", image, directory.resolve("buffered.img"), "--buffered");
        assertThat(buffered.status()).as(buffered.err()).isZero();
        assertThat(Files.mismatch(image, directory.resolve("buffered.img"))).isEqualTo(-1);

        // Over something else: what was there where the source has holes must go.
        fill(target, 64 * MIB, List.of(3 * MIB, 40 * MIB));
        SluiceProcess.Ended over = SluiceProcess.run("example", "copy-image", image, target, "--overwrite");
        assertThat(over.status()).as(over.err()).isZero();
        assertThat(Files.mismatch(image, target)).isEqualTo(-1);
    }

    @Test
    void shouldGoOnWithACopyThatWasKilled() throws Exception {
        Path target = directory.resolve("copy.img");
        Path journal = directory.resolve("copy.img.copying");
        long mebibytes = 160;
        fill(image, mebibytes * MIB, LongStream.range(0, mebibytes).map(at -> at * MIB).boxed().toList());
        Object[] command = {image, target, "--chunk-mib", 1};
        killUnderWay(command, target, journal);
        int done = Files.readAllLines(journal).size() - 1;
        assertThat(done).isBetween(3, (int) mebibytes - 1);
        // A line that was being written does not count.
        Files.writeString(journal, "0badc0", StandardOpenOption.APPEND);
        SluiceProcess.Ended ended = main("CopyImage", command).await();
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).contains("(" + done + " by an earlier run)");
        assertThat(Files.mismatch(image, target)).isEqualTo(-1);
        assertThat(journal).doesNotExist();
    }

    /** Has a copy killed under way. On a busy machine it may be done before this thread has its next turn. */
    private static void killUnderWay(Object[] command, Path target, Path journal) throws Exception {
        for (int i = 0; i < 10 && !killedUnderWay(command, journal); i++) {
            Files.delete(target);
        }
        assertThat(journal).as("left by a copy that was killed").exists();
    }

    /** Kills a copy that has done three chunks or more; false where it was done and had ended. */
    private static boolean killedUnderWay(Object[] command, Path journal) throws Exception {
        try (SluiceProcess copy = main("CopyImage", command)) {
            awaitThreeChunks(copy, journal);
            copy.kill();
            if (Files.exists(journal)) {
                return true;
            }
            SluiceProcess.Ended ended = copy.await();
            assertThat(ended.status()).as(ended.err()).isZero();
            return false;
        }
    }

    private static void awaitThreeChunks(SluiceProcess copy, Path journal) throws IOException {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (copy.isAlive() && System.nanoTime() < deadline && lines(journal) < 4) {
            Thread.onSpinWait();
        }
    }

    private static long lines(Path path) throws IOException {
        try {
            return Files.readAllLines(path).size();
        } catch (NoSuchFileException notYetOrNoMore) {
            return 0;
        }
    }

    @Test
    void shouldNotGoOnWhereTheSourceHasChangedAndFindACopyThatWasTamperedWith() throws Exception {
        Path target = directory.resolve("copy.img");
        Path journal = directory.resolve("copy.img.copying");
        fill(image, 8 * MIB, List.of(0L, 6 * MIB));
        Files.createFile(target);
        SparseFile.create(target, 8 * MIB);
        Files.writeString(journal, "sluice-copy 1 of something else\n00000000\n");
        SluiceProcess.Ended other = SluiceProcess.run("example", "copy-image", image, target, "--chunk-mib", 1);
        oneError(other, "another source");

        // A journal of this source that says that the first chunk is done, which it is not.
        Files.writeString(journal, header() + "\n00000000\n");
        SluiceProcess.Ended tampered = SluiceProcess.run("example", "copy-image", image, target, "--chunk-mib", 1);
        oneError(tampered, "chunk 0", "CRC32C");

        Files.writeString(journal, header() + "\n" + "00000000\n".repeat(9));
        oneError(main("CopyImage", image, target, "--chunk-mib", 1).await(), "copy.img.copying is damaged");
    }

    @Test
    void shouldVouchForNoCopyOfASourceThatChangedMeanwhile() throws Exception {
        Path target = directory.resolve("copy.img");
        Path journal = directory.resolve("copy.img.copying");
        long mebibytes = 160;
        fill(image, mebibytes * MIB, LongStream.range(0, mebibytes).map(at -> at * MIB).boxed().toList());
        try (SluiceProcess copy = main("CopyImage", image, target, "--chunk-mib", 1)) {
            awaitThreeChunks(copy, journal);
            try (RandomAccessFile written = new RandomAccessFile(image.toFile(), "rw")) {
                written.write(new byte[512]);
            }
            assertThat(copy.isAlive()).as("changed while it was copied").isTrue();
            oneError(copy.await(), "disk.img has changed while it was copied", "copy.img.copying");
        }
        assertThat(journal).exists();
        // Nor does the next one go on with it.
        oneError(main("CopyImage", image, target, "--chunk-mib", 1).await(), "its source has changed since");
    }

    @Test
    void shouldGoOnWhereWhatWasAHoleIsDataNow() throws Exception {
        Path target = directory.resolve("copy.img");
        Path journal = directory.resolve("copy.img.copying");
        int mebibytes = 160;
        int allocated = 16;
        Files.delete(image);
        Process fallocate = new ProcessBuilder("fallocate", "-l", mebibytes + "M", image.toString()).inheritIO().start();
        assumeThat(fallocate.waitFor()).as("SKIPPED: space that was allocated and not written, which this file system does not have").isZero();
        try (RandomAccessFile written = new RandomAccessFile(image.toFile(), "rw")) {
            written.seek(allocated * MIB);
            for (int i = allocated; i < mebibytes; i++) {
                written.write(random((int) MIB));
            }
            written.getFD().sync();
        }
        Object[] command = {image, target, "--chunk-mib", 1};
        killUnderWay(command, target, journal);
        // lseek(2) calls allocated space data where the page cache has it, as it has now; the copy reads past that.
        try (InputStream read = Files.newInputStream(image)) {
            assertThat(read.readNBytes((int) (allocated * MIB))).containsOnly(0);
        }
        SluiceProcess.Ended ended = main("CopyImage", command).await();
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(Files.mismatch(image, target)).isEqualTo(-1);
        assumeThat(ended.out()).as("SKIPPED: holes that turn into data, which this file system does not show").contains("of which 160.0 MiB data");
    }

    @Test
    void shouldBeginAnewWhereACopyWasKilledBeforeItHadBegun() throws Exception {
        Path target = directory.resolve("copy.img");
        Path journal = directory.resolve("copy.img.copying");
        fill(image, 8 * MIB, List.of(0L, 6 * MIB));
        String header = header();
        // In the order in which a copy leaves them: how long its target is, or -1 for none, and its journal.
        record Left(long targetBytes, String journal) {}
        for (Left left : List.of(
                new Left(-1, ""), new Left(-1, header.substring(0, 40)), new Left(-1, header), new Left(0, header), new Left(0, header + "\n"),
                new Left(8 * MIB, header + "\n"), new Left(-1, header + "\n"), new Left(8 * MIB, ""))) {
            if (left.targetBytes() >= 0) {
                SparseFile.create(target, left.targetBytes());
            }
            Files.writeString(journal, left.journal());
            SluiceProcess.Ended ended = main("CopyImage", image, target, "--chunk-mib", 1).await();
            assertThat(ended.status()).as("%s: %s", left, ended.err()).isZero();
            assertThat(Files.mismatch(image, target)).isEqualTo(-1);
            assertThat(journal).doesNotExist();
            Files.delete(target);
        }
        // Chunks that are done and no target: it may be in another place now.
        Files.writeString(journal, header + "\n00000000\n");
        oneError(main("CopyImage", image, target, "--chunk-mib", 1).await(), "copy.img.copying exists, but its target does not");
    }

    @Test
    void shouldGoOnWithACopyThatWasKilledAsSoonAsItsTargetWasThere() throws Exception {
        Path target = directory.resolve("copy.img");
        Path journal = directory.resolve("copy.img.copying");
        long mebibytes = 160;
        fill(image, mebibytes * MIB, LongStream.range(0, mebibytes).map(at -> at * MIB).boxed().toList());
        for (Path awaited : List.of(journal, target)) {
            try (SluiceProcess copy = main("CopyImage", image, target)) {
                while (copy.isAlive() && !Files.exists(awaited)) {
                    Thread.onSpinWait();
                }
                copy.kill();
            }
            if (Files.exists(target) && !Files.exists(journal)) {
                // It was done before it was killed.
                Files.delete(target);
            }
            SluiceProcess.Ended ended = main("CopyImage", image, target).await();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(Files.mismatch(image, target)).isEqualTo(-1);
            Files.delete(target);
        }
    }

    @Test
    void shouldLeaveNothingWhereItCannotBeginAndLeaveAloneWhatIsNotItsOwn() throws Exception {
        Path target = directory.resolve("copy.img");
        Path journal = directory.resolve("copy.img.copying");
        try (SluiceProcess copy = SluiceProcess.startWith(
                SluiceProcess.NATIVE_ACCESS, List.of("prlimit", "--fsize=" + 4 * MIB), Map.of(), "dev.sluice.examples.launcher.CopyImage", image, target)) {
            oneError(copy.await(), "cannot extend the target", "copy.img to 8388608 bytes");
        }
        assertThat(target).doesNotExist();
        assertThat(journal).doesNotExist();

        Files.write(target, random((int) MIB));
        oneError(main("CopyImage", image, target, "--overwrite").await(), "copy.img has 1048576 bytes, not the 8388608");
        assertThat(journal).doesNotExist();
        Files.write(target, random((int) (8 * MIB)));
        Files.createFile(journal);
        oneError(main("CopyImage", image, target).await(), "copy.img exists", "--overwrite");
        assertThat(target).hasBinaryContent(random((int) (8 * MIB)));

        Files.write(journal, new byte[] {-1, -2, -128, '\n'});
        oneError(main("CopyImage", image, target, "--overwrite").await(), "copy.img.copying is not the journal of a copy");
        assertThat(journal).hasBinaryContent(new byte[] {-1, -2, -128, '\n'});
        Files.delete(journal);
        Files.createDirectory(journal);
        oneError(main("CopyImage", image, target, "--overwrite").await(), "copy.img.copying is not a file", "move it away");
        assertThat(target).hasBinaryContent(random((int) (8 * MIB)));
    }

    private String header() throws Exception {
        return "sluice-copy 2 source-inode " + Files.getAttribute(image, "unix:ino") + " bytes " + Files.size(image) + " changed "
                + Files.getLastModifiedTime(image).to(TimeUnit.NANOSECONDS) + " chunk " + MIB + " fresh";
    }

    @Test
    void shouldShowWhatPrometheusScrapes() throws Exception {
        SluiceProcess.Ended ended = main("Prometheus", "--seconds", 0.5).await();
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).startsWith("scrape http://127.0.0.1:").contains("  sluice_", "device=\"example\"", "op=\"read\"", " series in all");
    }

    @Test
    void shouldServeSeveralDisksOnOneLoop() throws Exception {
        Path second = directory.resolve("second.img");
        SparseFile.create(second, 4 * MIB);
        Path secondSocket = directory.resolve("second.sock");
        try (SluiceProcess example = main("ManyDisks", image + "=" + socket, second + "=" + secondSocket).ready()) {
            try (BlockDriver one = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults());
                    BlockDriver other = BlockDriver.open(secondSocket.toString(), BlockDriverOptions.defaults())) {
                assertThat(one.config().capacitySectors()).isEqualTo(8 * MIB / 512);
                assertThat(other.config().capacitySectors()).isEqualTo(4 * MIB / 512);
                other.disk(0).write(4096, MemorySegment.ofArray(random(4096)));
            }
            SluiceProcess.Ended ended = example.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(socket).doesNotExist();
            assertThat(secondSocket).doesNotExist();
        }
        assertThat(Files.readAllBytes(second)).contains(random(4096));
        oneError(main("ManyDisks", image + "=" + socket, directory.resolve("none.img") + "=" + secondSocket).await(), "none.img", "ENOENT");
        assertThat(socket).doesNotExist();
    }

    @Test
    void shouldListTheExamples() throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("example");
        assertThat(ended.status()).isZero();
        assertThat(ended.out()).contains("serve-disk", "custom-stage", "copy-image", "prometheus", "many-disks");
    }

    /** Failed with one line that names all of this, whatever was logged before. */
    private static void oneError(SluiceProcess.Ended ended, String... named) {
        assertThat(ended.status()).as(ended.err()).isEqualTo(1);
        List<String> lines = ended.err().lines().filter(line -> !line.contains(" INFO ")).toList();
        assertThat(lines).as("stderr: %s", ended.err()).hasSize(1);
        assertThat(lines.getFirst()).startsWith("sluice: error: ").contains(named);
    }

    private static SluiceProcess main(String program, Object... arguments) throws Exception {
        return SluiceProcess.startWith(SluiceProcess.NATIVE_ACCESS, List.of(), Map.of(), "dev.sluice.examples.launcher." + program, arguments);
    }

    /** A sparse file with a MiB of noise at each of these offsets. */
    private static void fill(Path path, long bytes, List<Long> offsets) throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(0);
            file.setLength(bytes);
            for (long offset : offsets) {
                file.seek(offset);
                file.write(random((int) MIB));
            }
        }
    }

    private static byte[] random(int bytes) {
        byte[] noise = new byte[bytes];
        new SplittableRandom(SEED).nextBytes(noise);
        return noise;
    }

    /** What a file takes on its disk, as du(1) says. */
    private static long allocatedBytes(Path path) throws Exception {
        Process du = new ProcessBuilder("du", "--block-size=1", path.toString()).start();
        String said = new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(du.waitFor()).isZero();
        return Long.parseLong(said.substring(0, said.indexOf('\t')));
    }
}
