package dev.sluice.bench.ring;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Two CPUs, commands on them, and the distance between them. Immutable.
 *
 * @param programs compiled
 */
public record PlacedCpus(CPrograms programs, CpuPair cpus) implements SteadyMeasurement.Calibrator {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The same command, pinned to the CPU of the back end. */
    public List<String> onBackendCpu(List<String> command) {
        List<String> pinned = new ArrayList<>(List.of(programs.place().toString(), "run", Integer.toString(cpus.backend())));
        pinned.addAll(command);
        return pinned;
    }

    @Override
    public double roundTripNanos() throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                programs.place().toString(), "measure", Integer.toString(cpus.backend()), Integer.toString(cpus.load())).redirectErrorStream(true).start();
        try {
            process.getOutputStream().close();
            String words = new String(process.getInputStream().readAllBytes(), UTF_8).strip();
            if (process.waitFor() != 0) {
                throw new IOException("the CPUs " + cpus.text() + " cannot be calibrated: " + words);
            }
            return nanos(words);
        } finally {
            process.destroyForcibly();
        }
    }

    /** Reads what the program prints. */
    static double nanos(String text) throws IOException {
        try {
            JsonNode nanos = JSON.readTree(text).path("roundTripNanos");
            if (nanos.isNumber() && nanos.asDouble() > 0) {
                return nanos.asDouble();
            }
        } catch (JsonProcessingException notJson) {
            throw new IOException("not a calibration: " + text, notJson);
        }
        throw new IOException("not a calibration: " + text);
    }
}
