package dev.sluice.bench.guest;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * An emulated machine with some firmware and one vhost-user-blk disk, no kernel; a reset stops it, so that a machine that reboots in a loop is seen
 * at once.
 */
final class FirmwareMachine implements AutoCloseable {
    private static final String MEMORY = "1G";

    private final Process qemu;
    private final SerialPort serialPort;

    private FirmwareMachine(Process qemu) {
        this.qemu = qemu;
        serialPort = new SerialPort(qemu);
    }

    /**
     * Starts it on a disk that is served.
     *
     * @param diskOptions more of the disk's options, from the comma on
     */
    static FirmwareMachine start(GuestTools tools, Firmware firmware, Path socket, String diskOptions) throws IOException {
        List<String> command =
                List.of(
                        tools.program(GuestTools.Program.QEMU).toString(),
                        "-nodefaults",
                        "-no-user-config",
                        "-no-reboot",
                        "-accel", "tcg",
                        "-cpu", "max",
                        "-m", MEMORY,
                        "-object", "memory-backend-memfd,id=memory,size=" + MEMORY + ",share=on",
                        "-machine", firmware.machine() + ",memory-backend=memory",
                        "-bios", firmware.image().toString(),
                        "-chardev", "socket,id=disk,path=" + socket,
                        "-device", "vhost-user-blk-pci,chardev=disk,num-queues=1,bootindex=1" + diskOptions,
                        "-display", "none",
                        "-monitor", "none",
                        "-serial", "stdio",
                        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04");
        return new FirmwareMachine(new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    SerialPort serialPort() {
        return serialPort;
    }

    @Override
    public void close() {
        qemu.destroyForcibly().onExit().join();
    }
}
