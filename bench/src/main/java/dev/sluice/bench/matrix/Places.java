package dev.sluice.bench.matrix;

import java.nio.file.Path;

/**
 * The files of one backend process, or their placeholders in a report.
 *
 * @param image unused on the null sink
 */
record Places(Path socket, Path image, Path stats) {
    /** For command lines in reports. */
    static final Places WORDS = new Places(Path.of("SOCKET"), Path.of("IMAGE"), Path.of("STATS"));
}
