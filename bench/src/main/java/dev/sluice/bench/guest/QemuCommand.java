package dev.sluice.bench.guest;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The command line of a guest: emulated, its memory shared with the backend, its console on standard input and output. */
final class QemuCommand {
    /** In the directory of the initramfs. */
    static final String QMP_SOCKET = "qmp.sock";

    private static final String MEMORY = "1G";
    private static final Pattern VERSION = Pattern.compile("version (\\d+)\\.");

    /**
     * The options that differ from guest to guest.
     *
     * @param reconnect whether QEMU reconnects when the backend has closed the connection
     * @param qmp whether QEMU listens for commands
     */
    record Options(boolean reconnect, boolean qmp) {
        static final Options DEFAULT = new Options(true, false);
    }

    private QemuCommand() {}

    static List<String> of(GuestTools tools, GuestSpec spec, Options options, Path initramfs) throws GuestException, InterruptedException {
        String qemu = tools.program(GuestTools.Program.QEMU).toString();
        List<String> command = new ArrayList<>(List.of(
                qemu,
                "-nodefaults",
                "-no-user-config",
                "-no-reboot",
                // Emulated even if /dev/kvm exists: inside a virtual machine a guest often does not survive its early boot with it.
                "-accel", "tcg,thread=multi",
                "-cpu", "max",
                "-smp", Integer.toString(spec.numQueues()),
                "-m", MEMORY,
                "-object", "memory-backend-memfd,id=memory,size=" + MEMORY + ",share=on",
                "-machine", "q35,memory-backend=memory",
                "-chardev", "socket,id=disk,path=" + escaped(spec.socketPath()) + (options.reconnect ? "," + reconnect(qemu) : ""),
                // behind a port of its own: only there can a disk be unplugged
                "-device", "pcie-root-port,id=bay",
                "-device", "vhost-user-blk-pci,id=vda,bus=bay,chardev=disk,num-queues=" + spec.numQueues(),
                "-display", "none",
                "-monitor", "none",
                "-serial", "stdio",
                "-kernel", tools.kernel().image().toString(),
                "-initrd", initramfs.toString(),
                "-append", "console=ttyS0 panic=-1 mitigations=off quiet"));
        if (options.qmp) {
            command.addAll(List.of("-qmp", "unix:" + escaped(initramfs.resolveSibling(QMP_SOCKET)) + ",server=on,wait=off"));
        }
        return command;
    }

    /** A comma in a QEMU option value is written twice. */
    private static String escaped(Path path) {
        return path.toString().replace(",", ",,");
    }

    /** After one second: QEMU 9.2 renamed the option. */
    private static String reconnect(String qemu) throws GuestException, InterruptedException {
        String version = new String(HostCommand.run(List.of(qemu, "--version")), StandardCharsets.UTF_8);
        Matcher major = VERSION.matcher(version);
        return major.find() && Integer.parseInt(major.group(1)) >= 10 ? "reconnect-ms=1000" : "reconnect=1";
    }
}
