package dev.sluice.examples.guest;

import static org.junit.jupiter.api.Assertions.fail;

import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
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
            String reason = test.getSimpleName() + " boots a real Linux guest; missing here: " + String.join(", ", missing);
            if ("required".equals(System.getenv(MODE_VARIABLE))) {
                fail(MODE_VARIABLE + "=required, but " + reason + "\n" + advice);
            }
            System.err.print(banner(reason, advice.toString()));
            Assumptions.abort(reason);
        }
        return tools;
    }

    static String banner(String reason, String advice) {
        String rule = "*".repeat(100) + "\n";
        return "\n" + rule + "* SKIPPED: " + reason + "\n* Nothing below was tested with a real guest.\n*\n"
                + advice.lines().map(line -> "* " + line + "\n").reduce("", String::concat)
                + "* " + MODE_VARIABLE + "=required makes this a failure.\n" + rule;
    }
}
