package dev.sluice.bench.guest;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A program that a guest test runs on the host. */
enum HostProgram {
    E2FSCK("e2fsck", "e2fsprogs"),
    DEBUGFS("debugfs", "e2fsprogs"),
    QEMU_IMG("qemu-img", "qemu-utils"),
    QEMU_STORAGE_DAEMON("qemu-storage-daemon", "qemu-system-common"),
    MFORMAT("mformat", "mtools"),
    MCOPY("mcopy", "mtools");

    private final String command;
    private final String debianPackage;

    HostProgram(String command, String debianPackage) {
        this.command = command;
        this.debianPackage = debianPackage;
    }

    String command() {
        return command;
    }

    String debianPackage() {
        return debianPackage;
    }

    boolean isInstalled() {
        return GuestTools.locate(command).isPresent();
    }

    /** Runs it and returns what it wrote to its standard output; throws when its exit status is not 0. */
    byte[] run(String... arguments) throws IOException, InterruptedException {
        List<String> commandLine = new ArrayList<>();
        commandLine.add(GuestTools.locate(command).orElseThrow().toString());
        commandLine.addAll(List.of(arguments));
        return HostCommand.run(commandLine);
    }
}
