package dev.sluice.bench.matrix;

import java.util.List;
import java.util.OptionalInt;

/**
 * QEMU's own backend, the peer: {@code qemu-storage-daemon} with a vhost-user-blk export.
 *
 * @param aio native or io_uring; ignored for the null sink, which is null-co
 * @param queues offered
 * @param pollMaxNanos maximum time that its iothread polls before it sleeps; empty for its own default, 32768
 */
record StorageDaemonSpec(Medium medium, String aio, int queues, OptionalInt pollMaxNanos) implements BackendSpec {
    static final String PROGRAM = "qemu-storage-daemon";

    static StorageDaemonSpec nullCo(int queues) {
        return new StorageDaemonSpec(Medium.NULL, "", queues, OptionalInt.empty());
    }

    @Override
    public List<String> command(Places places) {
        return List.of(
                PROGRAM,
                "--blockdev", medium.hasImage()
                        ? "driver=file,node-name=image,cache.direct=on,aio=" + aio + ",filename=" + escaped(places.image().toString())
                        : "driver=null-co,node-name=image,read-zeroes=off,size=" + NULL_SIZE_BYTES,
                "--object", "iothread,id=loop" + (pollMaxNanos.isPresent() ? ",poll-max-ns=" + pollMaxNanos.getAsInt() : ""),
                "--export", "type=vhost-user-blk,id=disk,node-name=image,iothread=loop,writable=on,num-queues=" + queues
                        + ",addr.type=unix,addr.path=" + escaped(places.socket().toString()));
    }

    /** A comma in a value of QEMU's options is written twice. */
    private static String escaped(String value) {
        return value.replace(",", ",,");
    }

    @Override
    public String display() {
        return String.join(" ", command(Places.WORDS));
    }

    @Override
    public String missing() {
        return Programs.onPath(PROGRAM) ? "" : PROGRAM + " is not installed (Debian: apt-get install qemu-system-common)";
    }

    @Override
    public boolean hasStats() {
        return false;
    }

    @Override
    public boolean compilesWhileRunning() {
        return false;
    }

    @Override
    public double startAndStopSeconds() {
        return 0.5;
    }
}
