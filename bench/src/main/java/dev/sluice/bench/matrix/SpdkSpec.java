package dev.sluice.bench.matrix;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * SPDK's vhost target of a build that the user names: it polls and owns its core. Without hugepages and without PCI devices, so that it takes none of
 * the machine's.
 */
record SpdkSpec(Medium medium) implements BackendSpec {
    private static final String VHOST = "build/bin/vhost";

    /**
     * vhost creates the socket in its directory when it is asked for a controller of that name, while it runs: a background shell asks, and this one becomes
     * vhost. Arguments: SPDK, directory, name of the socket, mask of CPUs, and the words that create the disk.
     */
    private static final String SCRIPT =
            """
            rpc() { "$1/scripts/rpc.py" -s "$2/rpc.sock" "${@:3}" >/dev/null 2>&1; }
            (for _ in $(seq 100); do rpc "$1" "$2" "${@:5}" && break; sleep 0.1; done; rpc "$1" "$2" vhost_create_blk_controller "$3" disk) &
            export LD_LIBRARY_PATH="$1/build/lib"
            exec "$1/build/bin/vhost" -u --no-huge -s 512 -m "$4" -S "$2" -r "$2/rpc.sock"
            """;

    private static final String NULL_MIB = "2048";
    private static final String BLOCK_BYTES = "512";

    @Override
    public List<String> command(Places places) {
        Path socket = places.socket();
        List<String> command = new ArrayList<>(List.of(
                "bash", "-c", SCRIPT, "spdk", places.tools().spdk().toString(), directory(socket).toString(), socket.getFileName().toString(),
                "0x" + Integer.toHexString(1 << places.tools().backendCpu())));
        command.addAll(medium.hasImage()
                ? List.of("bdev_aio_create", places.image().toString(), "disk", BLOCK_BYTES)
                : List.of("bdev_null_create", "disk", NULL_MIB, BLOCK_BYTES));
        return command;
    }

    private static Path directory(Path socket) {
        Path parent = socket.getParent();
        return parent == null ? Path.of(".") : parent;
    }

    @Override
    public String display() {
        return "SPDK/" + VHOST + " -u --no-huge -s 512 -m MASK; rpc.py " + (medium.hasImage() ? "bdev_aio_create IMAGE" : "bdev_null_create")
                + "; rpc.py vhost_create_blk_controller";
    }

    @Override
    public String missing(MatrixSettings settings) {
        Path directory = settings.spdk();
        if (directory == null) {
            return "name a build of SPDK with --spdk DIR";
        }
        return Files.isExecutable(directory.resolve(VHOST)) ? ""
                : directory.resolve(VHOST) + " is not a program; --spdk names the directory of a build of SPDK";
    }

    @Override
    public double startAndStopSeconds() {
        return 3;
    }
}
