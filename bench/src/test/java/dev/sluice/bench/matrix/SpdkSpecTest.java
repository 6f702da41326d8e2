package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** With programs that stand in for SPDK's and write down what they are asked for. */
class SpdkSpecTest {
    private static final String VHOST = "build/bin/vhost";

    @TempDir
    Path directory;

    private Path spdk = Path.of("not made yet");

    @BeforeEach
    void makeStandIns() throws Exception {
        // A space, for the quotes of the script.
        spdk = directory.resolve("a build");
        program(VHOST, "echo \"$@\" >'" + directory + "/vhost'\nexec sleep 60\n");
        // vhost makes the socket of a controller in the directory of rpc.sock.
        program("scripts/rpc.py", "echo \"${@:3}\" >>'" + directory + "/rpc'\n[ \"$3\" != vhost_create_blk_controller ] || touch \"$(dirname \"$2\")/$4\"\n");
    }

    private void program(String name, String text) throws Exception {
        Path file = spdk.resolve(name);
        Path _ = Files.createDirectories(spdk.resolve(name.substring(0, name.lastIndexOf('/'))));
        Path _ = Files.writeString(file, "#!/bin/bash\n" + text);
        Path _ = Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    }

    @ParameterizedTest
    @EnumSource(Medium.class)
    void shouldAskForADiskAndItsControllerWhileVhostRuns(Medium medium) throws Exception {
        try (Workspace workspace = Workspace.create();
                RunningBackend backend = RunningBackend.start(
                        new SpdkSpec(medium), Path.of("/images/an image"), new Places.Tools(Path.of("programs"), spdk, 3), UnaryOperator.identity(),
                        workspace)) {
            assertThat(backend.sockets()).allMatch(Files::exists);
            String disk = medium.hasImage() ? "bdev_aio_create /images/an image disk 512" : "bdev_null_create disk 2048 512";
            assertThat(directory.resolve("rpc")).hasContent(disk + "\nvhost_create_blk_controller disk.sock disk\n");
        }
        assertThat(Files.readString(directory.resolve("vhost"))).startsWith("-u --no-huge -s 512 -m 0x8 -S ").contains(" -r ", "/rpc.sock");
    }

    @Test
    void shouldNameTheOptionOrWhatItLacks() {
        assertThat(new SpdkSpec(Medium.NULL).missing(settings(null))).isEqualTo("name a build of SPDK with --spdk DIR");
        assertThat(new SpdkSpec(Medium.NULL).missing(settings(directory))).contains(VHOST + " is not a program");
        assertThat(new SpdkSpec(Medium.NULL).missing(settings(spdk))).isEmpty();
    }

    private static MatrixSettings settings(@Nullable Path spdk) {
        return new MatrixSettings(
                EnumSet.of(Section.PLACED), Pattern.compile(""), 1, 1, 1, Path.of("/disk"), Path.of("/ram"), 64 << 20, Path.of("out"), null, spdk, "");
    }
}
