package dev.sluice.bench.guest;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Front ends of different generations: they send different messages, and in a different order. */
enum QemuPeer {
    /** The one on the PATH: 7.2 on Debian 12. */
    INSTALLED,
    /** From bookworm-backports, unpacked and not installed. */
    QEMU_10;

    /** Names the directory that {@code fetch-qemu-10.sh} has filled. */
    static final String DIRECTORY_VARIABLE = "SLUICE_QEMU_10_DIR";

    static final String ADVICE = "sh bench/src/test/resources/dev/sluice/bench/guest/fetch-qemu-10.sh\n";

    /** Empty where there is none. */
    Optional<Path> program() {
        if (this == INSTALLED) {
            return GuestTools.locate(GuestTools.Program.QEMU.command());
        }
        String chosen = System.getenv(DIRECTORY_VARIABLE);
        Path directory = chosen == null || chosen.isEmpty() ? Path.of(System.getenv("HOME"), ".cache/sluice/qemu-10") : Path.of(chosen);
        return Optional.of(directory.resolve(GuestTools.Program.QEMU.command())).filter(Files::isExecutable);
    }
}
