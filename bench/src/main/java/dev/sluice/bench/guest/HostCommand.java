package dev.sluice.bench.guest;

import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Runs a short program of the host for its output. */
final class HostCommand {

    private HostCommand() {}

    /**
     * Runs it to completion, in the C locale; its standard error goes to that of this process.
     *
     * @return its standard output
     * @throws GuestException if it cannot be run, or its exit status is not 0; the message contains its output
     */
    static byte[] run(List<String> command) throws GuestException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.redirectInput(Redirect.from(new File("/dev/null"))).redirectError(Redirect.INHERIT);
        builder.environment().put("LC_ALL", "C");
        try {
            Process process = builder.start();
            try (var out = process.getInputStream()) {
                byte[] output = out.readAllBytes();
                if (process.waitFor() != 0) {
                    String said = new String(output, StandardCharsets.UTF_8);
                    throw new GuestException(String.join(" ", command) + " exited with status " + process.exitValue() + ":\n" + said);
                }
                return output;
            } finally {
                process.destroy();
            }
        } catch (GuestException e) {
            throw e;
        } catch (IOException e) {
            throw new GuestException("cannot run " + String.join(" ", command) + ": " + e.getMessage(), e);
        }
    }
}
