package dev.sluice.bench.guest;

import java.nio.file.Path;

/** Firmware that drives a virtio disk with a driver of its own, and the Debian package that has it. */
enum Firmware {
    SEABIOS("/usr/share/seabios/bios-256k.bin", "seabios", "q35"),
    OVMF("/usr/share/ovmf/OVMF.fd", "ovmf", "q35"),
    /** It finds virtio disks on plain PCI alone. */
    U_BOOT("/usr/lib/u-boot/qemu-x86_64/u-boot.rom", "u-boot-qemu", "pc");

    private final Path image;
    private final String debianPackage;
    private final String machine;

    Firmware(String image, String debianPackage, String machine) {
        this.image = Path.of(image);
        this.debianPackage = debianPackage;
        this.machine = machine;
    }

    Path image() {
        return image;
    }

    String debianPackage() {
        return debianPackage;
    }

    /** QEMU's machine that it boots on. */
    String machine() {
        return machine;
    }
}
