package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.ProgramPath;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * QEMU's own backend, the peer: {@code qemu-storage-daemon} with a vhost-user-blk export.
 *
 * @param aio native or io_uring; ignored for the null sink, which is null-co
 * @param queues offered
 * @param disks each with an image of its own if there are several
 * @param pollMaxNanos maximum time that its iothread polls before it sleeps; empty for its own default, 32768
 */
record StorageDaemonSpec(Medium medium, String aio, int queues, int disks, OptionalInt pollMaxNanos) implements BackendSpec {
    static final String PROGRAM = "qemu-storage-daemon";

    StorageDaemonSpec(Medium medium, String aio, int queues, OptionalInt pollMaxNanos) {
        this(medium, aio, queues, 1, pollMaxNanos);
    }

    static StorageDaemonSpec nullCo(int queues) {
        return new StorageDaemonSpec(Medium.NULL, "", queues, OptionalInt.empty());
    }

    @Override
    public List<String> command(Places places) {
        List<String> command = new ArrayList<>(List.of(
                PROGRAM, "--object", "iothread,id=loop" + (pollMaxNanos.isPresent() ? ",poll-max-ns=" + pollMaxNanos.getAsInt() : "")));
        for (int i = 0; i < disks; i++) {
            String node = disks == 1 ? "image" : "image" + i;
            command.addAll(List.of(
                    "--blockdev", medium.hasImage()
                            ? "driver=file,node-name=" + node + ",cache.direct=on,aio=" + aio + ",filename=" + escaped(places.images(disks).get(i).toString())
                            : "driver=null-co,node-name=" + node + ",read-zeroes=off,size=" + NULL_SIZE_BYTES,
                    "--export", "type=vhost-user-blk,id=disk" + i + ",node-name=" + node + ",iothread=loop,writable=on,num-queues=" + queues
                            + ",addr.type=unix,addr.path=" + escaped(places.sockets(disks).get(i).toString())));
        }
        return command;
    }

    /** A comma in a value of QEMU's options is written twice. */
    private static String escaped(String value) {
        return value.replace(",", ",,");
    }

    @Override
    public String display() {
        List<String> command = command(Places.WORDS);
        int ofFirst = 7;
        return String.join(" ", disks == 1 ? command : command.subList(0, ofFirst)) + (disks == 1 ? "" : " ... and so on, " + disks + " disks");
    }

    @Override
    public String missing(MatrixSettings settings) {
        return ProgramPath.has(PROGRAM) ? "" : PROGRAM + " is not installed (Debian: apt-get install qemu-system-common)";
    }

    @Override
    public double startAndStopSeconds() {
        return 0.5;
    }
}
