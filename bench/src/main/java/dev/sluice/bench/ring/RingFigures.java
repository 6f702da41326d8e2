package dev.sluice.bench.ring;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;

/**
 * What the load in C has measured. Immutable.
 *
 * @param requestsPerSecond of all disks and queues
 * @param backendCpuMicros CPU time of the back end's process per request
 * @param loadCpuShare share of the measured time in which the load had its CPU: one that polls and had less than all of it was disturbed
 * @param kicksPerRequest eventfd writes of the load
 * @param callsPerRequest interrupts that woke the load
 */
public record RingFigures(
        long requests, double requestsPerSecond, double backendCpuMicros, double loadCpuShare, double kicksPerRequest, double callsPerRequest) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /**
     * Parses the line that the load prints.
     *
     * @throws IOException if it is anything else, or requests failed; the message has the text
     */
    public static RingFigures parse(String text) throws IOException {
        JsonNode line;
        try {
            line = JSON.readTree(text);
        } catch (JsonProcessingException notJson) {
            throw new IOException("not figures of a load: " + text, notJson);
        }
        long requests = line.path("requests").asLong();
        if (requests <= 0 || !line.path("backendCpuMicros").isNumber() || !(line.path("seconds").asDouble() > 0)) {
            throw new IOException("not figures of a load: " + text);
        }
        long errors = line.path("errors").asLong();
        if (errors != 0) {
            throw new IOException(errors + " of " + requests + " requests failed");
        }
        return new RingFigures(
                requests,
                line.path("requestsPerSecond").asDouble(),
                line.path("backendCpuMicros").asDouble(),
                line.path("loadCpuSeconds").asDouble() / line.path("seconds").asDouble(),
                line.path("kicks").asDouble() / requests,
                line.path("calls").asDouble() / requests);
    }
}
