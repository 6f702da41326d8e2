package dev.sluice.bench.device;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** fio with one job and one of its engines. Its CPU is the user and system time of the job, as fio reports it. */
final class FioCandidate implements Candidate {
    private static final int MARGIN_SECONDS = 60;

    private final String engine;
    private final UnaryOperator<List<String>> launcher;

    FioCandidate(String engine) {
        this(engine, UnaryOperator.identity());
    }

    /**
     * With another command in front.
     *
     * @param launcher of the command: what the command becomes
     */
    FioCandidate(String engine, UnaryOperator<List<String>> launcher) {
        this.engine = engine;
        this.launcher = launcher;
    }

    static boolean installed() {
        try {
            Process process = new ProcessBuilder("fio", "--version").redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
            return process.waitFor() == 0;
        } catch (IOException missing) {
            return false;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Override
    public String name() {
        return "fio " + engine;
    }

    @Override
    public DeviceFigures run(DevicePlan plan) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(launcher.apply(command(plan))).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor((long) (plan.seconds() + plan.warmUpSeconds()) + MARGIN_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException("fio failed: " + output.strip());
            }
            // Its warnings precede the JSON.
            return figures(new ObjectMapper().readTree(output.substring(Math.max(0, output.indexOf('{')))).path("jobs").path(0));
        } finally {
            process.destroy();
        }
    }

    private List<String> command(DevicePlan plan) {
        String kind = plan.readsOnly() ? "read" : plan.readPercent() == 0 ? "write" : "rw";
        List<String> command = new ArrayList<>(List.of(
                "fio", "--name=bench", "--filename=" + plan.path(), "--ioengine=" + engine, "--rw=" + (plan.sequential() ? kind : "rand" + kind),
                "--bs=" + plan.blockBytes(), "--iodepth=" + plan.depth(), "--direct=" + (plan.direct() ? 1 : 0), "--time_based", "--thread=0",
                "--norandommap", "--randrepeat=0", "--randseed=" + plan.seed(), "--output-format=json",
                String.format(Locale.ROOT, "--runtime=%dms", (long) (plan.seconds() * 1000)),
                String.format(Locale.ROOT, "--ramp_time=%dms", (long) (plan.warmUpSeconds() * 1000))));
        if (plan.readsOnly()) {
            command.add("--readonly");
        } else if (plan.readPercent() > 0) {
            command.add("--rwmixread=" + plan.readPercent());
        }
        return command;
    }

    static DeviceFigures figures(JsonNode job) throws IOException {
        JsonNode read = job.path("read");
        JsonNode write = job.path("write");
        long requests = read.path("total_ios").asLong() + write.path("total_ios").asLong();
        if (requests == 0) {
            throw new IOException("fio did nothing: " + job);
        }
        double runtimeMillis = Math.max(read.path("runtime").asDouble(), write.path("runtime").asDouble());
        double cpuPercent = job.path("usr_cpu").asDouble() + job.path("sys_cpu").asDouble();
        JsonNode main = read.path("total_ios").asLong() >= write.path("total_ios").asLong() ? read : write;
        JsonNode percentiles = main.path("clat_ns").path("percentile");
        return new DeviceFigures(
                requests,
                requests / (runtimeMillis / 1e3),
                cpuPercent / 100 * runtimeMillis * 1e3 / requests,
                percentiles.path("50.000000").asDouble(Double.NaN) / 1e3,
                percentiles.path("99.000000").asDouble(Double.NaN) / 1e3,
                percentiles.path("99.900000").asDouble(Double.NaN) / 1e3,
                Double.NaN,
                job.path("total_err").asLong());
    }
}
