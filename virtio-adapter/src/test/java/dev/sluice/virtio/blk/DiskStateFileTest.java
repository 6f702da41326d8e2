package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is in the file at each moment of a crash, and what is never read or replaced. */
final class DiskStateFileTest {
    private static final String WRITETHROUGH = "sluice-disk-state 1\ncache writethrough\n";
    private static final String WRITEBACK = "sluice-disk-state 1\ncache writeback\n";

    @TempDir
    private Path directory;

    private Path path() {
        return directory.resolve("disk.state");
    }

    private Path temporary() {
        return directory.resolve("disk.state.tmp");
    }

    @Test
    void shouldRememberWhatWasSavedLast() throws IOException {
        DiskStateFile file = new DiskStateFile(path());
        assertThat(file).hasToString(path().toString());
        assertThat(file.writeback()).as("the guest has never chosen").isTrue();
        assertThat(path()).doesNotExist();
        for (boolean writeback : new boolean[] {false, true, false, false, true}) {
            file.save(writeback);
            assertThat(path()).hasContent(writeback ? WRITEBACK : WRITETHROUGH);
            assertThat(new DiskStateFile(path()).writeback()).isEqualTo(writeback);
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path()))).isEqualTo("rw-------");
        file.trySave(false);
        assertThat(path()).hasContent(WRITETHROUGH);
    }

    /** The old state or the new one, whenever the machine loses its power: the new file is on disk before it has the name, and the name before this returns. */
    @Test
    void shouldSyncTheFileBeforeItIsRenamedAndItsDirectoryAfterwards() throws IOException {
        Files.writeString(path(), WRITEBACK);
        Files.writeString(temporary(), "left behind by a crash");
        List<Path> synced = new ArrayList<>();
        DiskStateFile file = new DiskStateFile(path(), (of, channel) -> {
            synced.add(of);
            channel.force(true);
            boolean renamed = synced.size() == 2;
            assertThat(path()).hasContent(renamed ? WRITETHROUGH : WRITEBACK);
            if (renamed) {
                assertThat(temporary()).doesNotExist();
            } else {
                assertThat(temporary()).hasContent(WRITETHROUGH);
            }
        });
        file.save(false);
        assertThat(synced).containsExactly(temporary(), directory);
    }

    @Test
    void shouldSayWhatFailedAndWhatToDo() {
        List<IOException> failures = List.of(
                new AccessDeniedException("/x/y"), new FileSystemException("/x/y", null, "No space left on device"), new FileSystemException("/x/y"),
                new IOException("Input/output error"), new IOException());
        List<String> reasons = List.of("permission denied for /x/y", "No space left on device", "/x/y", "Input/output error", "java.io.IOException");
        for (int i = 0; i < failures.size(); i++) {
            IOException failure = failures.get(i);
            DiskStateFile file = new DiskStateFile(path(), (of, channel) -> {
                throw failure;
            });
            String message = "state file " + path() + ": " + reasons.get(i) + ": make room for it, or name another one (--state-file)";
            assertThatThrownBy(() -> file.save(false)).isInstanceOf(IOException.class).hasMessage(message).hasCause(failure);
            assertThat(path()).doesNotExist();
            try (CapturedLog log = new CapturedLog()) {
                file.trySave(false);
                assertThat(log.of(DiskStateFile.class)).containsExactly("WARN: " + message);
            }
        }
        Path nowhere = directory.resolve("missing").resolve("disk.state");
        assertThatThrownBy(() -> new DiskStateFile(nowhere).save(true))
                .hasMessageStartingWith("state file " + nowhere + ": there is no such directory as that of " + nowhere + ".tmp");
    }

    @Test
    void shouldFailWhenTheDirectoryCannotBeSynced() {
        DiskStateFile file = new DiskStateFile(path(), (of, channel) -> {
            if (of.equals(directory)) {
                throw new IOException("Input/output error");
            }
        });
        assertThatThrownBy(() -> file.save(true)).hasMessageContaining("Input/output error");
        assertThat(path()).hasContent(WRITEBACK);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4096, 4097, 100_000})
    void shouldReplaceOnlyWhatMayBeAStateFile(int bytes) throws IOException {
        Files.write(path(), new byte[bytes]);
        DiskStateFile file = new DiskStateFile(path());
        String tooLong = "has " + bytes + " bytes, which no state file has";
        try (CapturedLog log = new CapturedLog()) {
            assertThat(file.writeback()).isFalse();
            assertThat(log.of(DiskStateFile.class))
                    .containsExactly("WARN: state file " + path() + ": " + (bytes > 4096 ? tooLong : "is not a state file of this version")
                            + "; the disk is write-through until the guest sets its cache mode: remove the file for writeback");
        }
        if (bytes > 4096) {
            assertThatThrownBy(() -> file.save(true)).hasMessageContaining(tooLong);
            assertThat(path()).hasSize(bytes);
            assertThat(temporary()).doesNotExist();
        } else {
            file.save(true);
            assertThat(file.writeback()).isTrue();
        }
    }

    @Test
    void shouldReplaceALinkAndNotWhatItPointsTo() throws IOException {
        Path image = Files.write(directory.resolve("image"), new byte[10_000]);
        Files.createSymbolicLink(path(), image);
        DiskStateFile file = new DiskStateFile(path());
        assertThat(file.writeback()).isFalse();
        file.save(true);
        assertThat(path()).isRegularFile().hasContent(WRITEBACK);
        assertThat(Files.isSymbolicLink(path())).isFalse();
        assertThat(image).hasSize(10_000);
    }

    @Test
    void shouldNeitherReadNorReplaceADirectory() {
        for (Path other : List.of(directory, Path.of("/"))) {
            DiskStateFile file = new DiskStateFile(other);
            try (CapturedLog log = new CapturedLog()) {
                assertThat(file.writeback()).isFalse();
                assertThat(log.of(DiskStateFile.class)).singleElement().asString()
                        .contains("state file " + other + ": is not a regular file; the disk is write-through");
            }
            assertThatThrownBy(() -> file.save(true)).hasMessageContaining("is not a regular file");
            assertThat(other).isDirectory();
        }
    }

    @Test
    void shouldLieBesideTheWorkingDirectoryWhenItsPathIsRelative() {
        assertThat(new DiskStateFile(Path.of("some.state"))).hasToString(Path.of("some.state").toAbsolutePath().toString());
    }
}
