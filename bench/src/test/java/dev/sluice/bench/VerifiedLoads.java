package dev.sluice.bench;

import dev.sluice.server.SluiceCommand;
import dev.sluice.server.cli.Commands;

/**
 * "sluice bench" on one socket after the other, in one Java virtual machine: in an emulator, for which this is (.ci/aarch64), its start takes longer
 * than a load.
 */
final class VerifiedLoads {
    private VerifiedLoads() {}

    public static void main(String[] sockets) {
        for (String socket : sockets) {
            int status = Commands.line(new SluiceCommand())
                    .execute("bench", socket, "--depth", "8", "--rw", "randrw", "--verify", "--warm-up", "0", "--seconds", "3");
            if (status != 0) {
                System.exit(status);
            }
        }
    }
}
