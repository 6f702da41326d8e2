package dev.sluice.bench.matrix;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The files of one backend process, or their placeholders in a report.
 *
 * @param image unused on the null sink; with several disks the first, beside the others
 * @param tools other programs
 */
record Places(Path socket, Path image, Path stats, Tools tools) {
    /** For command lines in reports. */
    static final Places WORDS = new Places(Path.of("SOCKET"), Path.of("IMAGE"), Path.of("STATS"), new Tools(Path.of("PROGRAMS"), Path.of("SPDK"), 0));

    /**
     * Programs that were compiled for a matrix or brought by the user.
     *
     * @param programs directory of those in C
     * @param spdk directory of a build of SPDK, if there is one
     * @param backendCpu where backends run that choose it themselves
     */
    record Tools(Path programs, Path spdk, int backendCpu) {}

    /** The sockets of several disks. */
    List<Path> sockets(int disks) {
        return disks == 1 ? List.of(socket) : each(socket, disks);
    }

    /** The images of several disks. */
    List<Path> images(int disks) {
        return disks == 1 ? List.of(image) : each(image, disks);
    }

    /** The list of several disks, for a backend that reads one. */
    Path disksFile() {
        return socket.resolveSibling("disks.yaml");
    }

    static List<Path> each(Path first, int count) {
        return IntStream.range(0, count).mapToObj(i -> first.resolveSibling(i + "-" + first.getFileName())).toList();
    }
}
