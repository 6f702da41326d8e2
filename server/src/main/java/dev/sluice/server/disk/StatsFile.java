package dev.sluice.server.disk;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import dev.sluice.metrics.MetricsSnapshot;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import dev.sluice.server.cli.OutputFiles;
import java.io.IOException;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Statistics that only the backend itself knows, for measurements from outside: one line of JSON per interval, cumulative since the start,
 * summed over all disks; a disk that is no longer served does not count.
 *
 * <p>Fields: {@code time}, {@code heapBytes} (allocated by the loops' threads), {@code ticks}, {@code enters}, {@code submissions},
 * {@code completions}, {@code requests}, {@code bytes}, {@code errors}, {@code kicks}, {@code calls}, {@code callsSuppressed}.
 *
 * <p><b>Threading:</b> a thread of its own; {@link #close} from any. <b>Failure:</b> if the file cannot be written, that is logged once and the
 * statistics stop; serving continues.
 */
final class StatsFile implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StatsFile.class);

    private final Path path;
    private final Duration interval;
    private final List<IoLoop> loops;
    private final Supplier<List<SluiceMetrics>> disks;
    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final ObjectMapper json = new ObjectMapper();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread thread;

    private StatsFile(Path path, Duration interval, List<IoLoop> loops, Supplier<List<SluiceMetrics>> disks) {
        this.path = path;
        this.interval = interval;
        this.loops = loops;
        this.disks = disks;
        this.thread = Thread.ofPlatform().name("sluice-stats").daemon().unstarted(this::run);
    }

    /**
     * Opens the file and starts writing.
     *
     * @throws IOException if the file cannot be written
     */
    static StatsFile start(Path path, Duration interval, List<IoLoop> loops, Supplier<List<SluiceMetrics>> disks) throws IOException {
        StatsFile file = new StatsFile(path, interval, List.copyOf(loops), disks);
        OutputFiles.check("--stats", path);
        file.thread.start();
        return file;
    }

    private void run() {
        try (Writer out = Files.newBufferedWriter(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            boolean last;
            do {
                last = closed.await(interval.toNanos(), TimeUnit.NANOSECONDS);
                out.write(line());
                out.flush();
            } while (!last);
        } catch (IOException failed) {
            LOG.warn("cannot write statistics to {}: {}; continuing without them", path, failed.toString());
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private String line() throws IOException {
        long heapBytes = 0;
        long ticks = 0;
        long enters = 0;
        long submissions = 0;
        long completions = 0;
        for (IoLoop loop : loops) {
            LoopCounters counters = loop.counters();
            heapBytes += Math.max(0, threads.getThreadAllocatedBytes(counters.threadId()));
            ticks += counters.ticks();
            enters += counters.enters();
            submissions += counters.submissions();
            completions += counters.completions();
        }
        List<MetricsSnapshot> seen = disks.get().stream().map(SluiceMetrics::snapshot).toList();
        ObjectNode line = json.createObjectNode()
                .put("time", Instant.now().toString())
                .put("heapBytes", heapBytes)
                .put("ticks", ticks)
                .put("enters", enters)
                .put("submissions", submissions)
                .put("completions", completions)
                .put("requests", sum(seen, MetricsSnapshot::requests))
                .put("bytes", sum(seen, MetricsSnapshot::bytes))
                .put("errors", sum(seen, MetricsSnapshot::errors))
                .put("kicks", sum(seen, MetricsSnapshot::kicks))
                .put("calls", sum(seen, MetricsSnapshot::calls))
                .put("callsSuppressed", sum(seen, MetricsSnapshot::callsSuppressed));
        return json.writeValueAsString(line) + "\n";
    }

    private static long sum(List<MetricsSnapshot> seen, ToLongFunction<MetricsSnapshot> count) {
        return seen.stream().mapToLong(count).sum();
    }

    /** Writes a last line and closes the file. Idempotent. */
    @Override
    public void close() {
        closed.countDown();
        try {
            thread.join(TimeUnit.SECONDS.toMillis(5));
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }
}
