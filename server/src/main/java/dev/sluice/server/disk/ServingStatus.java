package dev.sluice.server.disk;

import java.util.List;

/** What a process serves, in one line for its service manager. Any thread. */
public final class ServingStatus {
    private ServingStatus() {}

    /** Disks and connections; a single disk with its description. */
    public static String of(DiskHost host, boolean single) {
        List<Disk> disks = host.disks();
        long connections = disks.stream().flatMap(disk -> disk.frontEnds().stream()).mapToLong(frontEnd -> frontEnd.describe().connections()).sum();
        String what = single && disks.size() == 1 ? disks.getFirst().description() : disks.size() == 1 ? "1 disk" : disks.size() + " disks";
        return what + (connections == 1 ? ", 1 connection" : ", " + connections + " connections");
    }
}
