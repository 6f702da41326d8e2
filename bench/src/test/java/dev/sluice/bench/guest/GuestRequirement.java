package dev.sluice.bench.guest;

import static org.junit.jupiter.api.Assertions.fail;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;

/** What the guest tests need of a machine. Where it is missing they are skipped loudly, or fail where guests are required. */
final class GuestRequirement {
    private static final String MODE_VARIABLE = "SLUICE_GUEST";

    private GuestRequirement() {}

    /**
     * The tools of this machine when it has all of them.
     *
     * @param test what is skipped otherwise
     * @param hostPrograms what the test itself runs on the host besides
     */
    static GuestTools orSkip(Class<?> test, HostProgram... hostPrograms) {
        return orSkip(test, new Firmware[0], hostPrograms);
    }

    /**
     * As above.
     *
     * @param firmware what the test boots besides a Linux guest
     */
    static GuestTools orSkip(Class<?> test, Firmware[] firmware, HostProgram... hostPrograms) {
        GuestTools tools = GuestTools.find();
        List<String> missing = new ArrayList<>(tools.missing());
        StringBuilder advice = new StringBuilder(tools.advice());
        for (HostProgram program : hostPrograms) {
            if (!program.isInstalled()) {
                missing.add(program.command());
                advice.append("  ").append(GuestTools.installing(List.of(program.debianPackage()))).append('\n');
            }
        }
        for (Firmware needed : firmware) {
            if (!Files.isReadable(needed.image())) {
                missing.add(needed.image().toString());
                advice.append("  ").append(GuestTools.installing(List.of(needed.debianPackage()))).append('\n');
            }
        }
        if (!missing.isEmpty()) {
            skip(test.getSimpleName() + " boots a real guest; missing here: " + String.join(", ", missing), advice.toString());
        }
        return tools;
    }

    /** The same tools with a QEMU of another generation, if this machine has it. */
    static GuestTools orSkip(Class<?> test, GuestTools tools, QemuPeer qemu) {
        Optional<Path> program = qemu.program();
        if (program.isEmpty()) {
            skip(test.getSimpleName() + " runs on " + qemu + " too; missing here: it", QemuPeer.ADVICE);
        }
        return tools.withQemu(program.orElseThrow());
    }

    private static void skip(String reason, String advice) {
        if ("required".equals(System.getenv(MODE_VARIABLE))) {
            fail(MODE_VARIABLE + "=required, but " + reason + "\n" + advice);
        }
        System.err.print(banner(reason, advice));
        Assumptions.abort(reason);
    }

    static String banner(String reason, String advice) {
        String rule = "*".repeat(100) + "\n";
        return "\n" + rule + "* SKIPPED: " + reason + "\n* Nothing below was tested with a real guest.\n*\n"
                + advice.lines().map(line -> "* " + line + "\n").reduce("", String::concat)
                + "* " + MODE_VARIABLE + "=required makes this a failure.\n" + rule;
    }
}
