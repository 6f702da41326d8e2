package dev.sluice.bench.guest;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The tools for a guest on this machine: an x86-64 processor, a few programs, a kernel.
 *
 * <p><b>Threading:</b> immutable. A snapshot: the next {@link #find} sees what is installed later.
 */
public final class GuestTools {

    /** A program of this machine, and the Debian package that contains it. */
    enum Program {
        QEMU("qemu-system-x86_64", "qemu-system-x86"),
        BUSYBOX("busybox", "busybox-static"),
        FIO("fio", "fio"),
        MKFS_EXT4("mkfs.ext4", "e2fsprogs"),
        BLKDISCARD("blkdiscard", "util-linux");

        private final String command;
        private final String debianPackage;

        Program(String command, String debianPackage) {
            this.command = command;
            this.debianPackage = debianPackage;
        }

        String command() {
            return command;
        }
    }

    /** Not on everybody's PATH. */
    private static final List<Path> SYSTEM_DIRECTORIES = List.of(Path.of("/usr/sbin"), Path.of("/sbin"));

    private final String architecture;
    private final Map<Program, Path> programs;
    private final Optional<GuestKernel> kernel;

    private GuestTools(String architecture, Map<Program, Path> programs, Optional<GuestKernel> kernel) {
        this.architecture = architecture;
        this.programs = programs;
        this.kernel = kernel;
    }

    /** Searches the programs on the PATH and the kernel as {@link GuestKernel#find} does. */
    public static GuestTools find() {
        return find(System.getProperty("os.arch"), searchPath(), GuestKernel.find());
    }

    static GuestTools find(String architecture, String path, Optional<GuestKernel> kernel) {
        Map<Program, Path> programs = new EnumMap<>(Program.class);
        for (Program program : Program.values()) {
            locate(program.command, path).ifPresent(found -> programs.put(program, found));
        }
        return new GuestTools(architecture, programs, kernel);
    }

    /** The same with another QEMU. */
    GuestTools withQemu(Path qemu) {
        Map<Program, Path> others = new EnumMap<>(programs);
        others.put(Program.QEMU, qemu);
        return new GuestTools(architecture, others, kernel);
    }

    /** What is missing, a few words each; empty if a guest can boot. */
    public List<String> missing() {
        List<String> missing = new ArrayList<>();
        if (!architecture.equals("amd64")) {
            missing.add("an x86-64 machine (this is " + architecture + ")");
        }
        for (Program program : Program.values()) {
            if (!programs.containsKey(program)) {
                missing.add(program.command + " (Debian package " + program.debianPackage + ")");
            }
        }
        if (kernel.isEmpty()) {
            missing.add("a Linux kernel for the guest");
        }
        return missing;
    }

    /** Explains over several lines what is missing and which commands install it; empty if nothing is missing. */
    public String advice() {
        if (missing().isEmpty()) {
            return "";
        }
        StringBuilder advice = new StringBuilder();
        advice.append("A real guest needs the following, which is missing: ").append(String.join(", ", missing())).append('\n');
        TreeSet<String> packages = new TreeSet<>();
        for (Program program : Program.values()) {
            if (!programs.containsKey(program)) {
                packages.add(program.debianPackage);
            }
        }
        if (!packages.isEmpty()) {
            advice.append("  ").append(installing(packages)).append('\n');
        }
        if (kernel.isEmpty()) {
            advice.append("  ").append(GuestKernel.advice()).append('\n');
        }
        return advice.toString();
    }

    /** @throws GuestException with {@link #advice} if it is missing */
    Path program(Program program) throws GuestException {
        Path found = programs.get(program);
        if (found == null) {
            throw new GuestException(advice());
        }
        return found;
    }

    /** @throws GuestException with {@link #advice} if it is missing */
    GuestKernel kernel() throws GuestException {
        return kernel.orElseThrow(() -> new GuestException(advice()));
    }

    /** Finds a program as {@link #find} does. */
    static Optional<Path> locate(String command) {
        return locate(command, searchPath());
    }

    /** The command that installs packages. */
    static String installing(Collection<String> packages) {
        return "as root: apt-get update && apt-get install -y --no-install-recommends " + String.join(" ", packages);
    }

    private static String searchPath() {
        String path = System.getenv("PATH");
        return path == null ? "" : path;
    }

    private static Optional<Path> locate(String command, String path) {
        Stream<Path> onPath =
                Stream.of(path.split(File.pathSeparator, -1)).filter(directory -> !directory.isEmpty()).map(Path::of);
        return Stream.concat(onPath, SYSTEM_DIRECTORIES.stream())
                .map(directory -> directory.resolve(command))
                .filter(Files::isExecutable)
                .findFirst();
    }
}
