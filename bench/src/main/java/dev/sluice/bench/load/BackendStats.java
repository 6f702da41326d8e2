package dev.sluice.bench.load;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * The statistics that a Sluice backend writes to the file of {@code serve --stats}: a line of cumulative counts per second. Compares the
 * first and the last line within a measurement. Any thread.
 */
public final class BackendStats {
    /** No file was named: everything is unknown. */
    public static final BackendStats NONE = new BackendStats(null);

    private static final int LAST_LINES_BYTES = 8192;

    /** The last line of the file at some time; null if there is none yet. */
    public record Sample(@Nullable JsonNode line) {}

    /**
     * The change between two samples, per request that the backend completed.
     *
     * @param requests completed by the backend, 0 if unknown
     */
    public record Window(
            long requests, OptionalDouble heapBytes, OptionalDouble kicks, OptionalDouble calls, OptionalDouble enters, OptionalDouble submissions) {
        public static final Window UNKNOWN = new Window(
                0, OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty());
    }

    private final @Nullable Path file;
    private final ObjectMapper json = new ObjectMapper();

    private BackendStats(@Nullable Path file) {
        this.file = file;
    }

    /**
     * The statistics in a file.
     *
     * @throws IOException if there is no such file
     */
    public static BackendStats in(Path file) throws IOException {
        if (!Files.isReadable(file)) {
            throw new IOException("cannot read the backend's statistics in " + file + "; name the file that 'sluice serve --stats' writes");
        }
        return new BackendStats(file);
    }

    /** The current last line. */
    public Sample sample() {
        Path path = file;
        if (path == null) {
            return new Sample(null);
        }
        try (RandomAccessFile in = new RandomAccessFile(path.toFile(), "r")) {
            byte[] end = new byte[(int) Math.min(in.length(), LAST_LINES_BYTES)];
            in.seek(in.length() - end.length);
            in.readFully(end);
            String text = new String(end, StandardCharsets.UTF_8);
            int lastEnd = text.lastIndexOf('\n');
            if (lastEnd < 0) {
                return new Sample(null);
            }
            return new Sample(json.readTree(text.substring(text.lastIndexOf('\n', lastEnd - 1) + 1, lastEnd)));
        } catch (IOException unreadable) {
            return new Sample(null);
        }
    }

    /** The change since then, up to now. */
    public Window since(Sample before) {
        JsonNode from = before.line();
        JsonNode to = sample().line();
        if (from == null || to == null) {
            return Window.UNKNOWN;
        }
        long requests = to.path("requests").asLong() - from.path("requests").asLong();
        if (requests <= 0) {
            return Window.UNKNOWN;
        }
        return new Window(
                requests,
                perRequest(from, to, "heapBytes", requests),
                perRequest(from, to, "kicks", requests),
                perRequest(from, to, "calls", requests),
                perRequest(from, to, "enters", requests),
                perRequest(from, to, "submissions", requests));
    }

    private static OptionalDouble perRequest(JsonNode from, JsonNode to, String field, long requests) {
        return OptionalDouble.of((to.path(field).asDouble() - from.path(field).asDouble()) / requests);
    }
}
