package dev.sluice.bench;

import dev.sluice.bench.load.Load;
import dev.sluice.server.cli.LiveText;
import java.util.Locale;

/** A load's progress in one line, for {@link LiveText}. One thread. */
final class LiveLine {
    private final Load load;
    private long lastRequests;
    private long lastNanos = System.nanoTime();

    private LiveLine(Load load) {
        this.load = load;
    }

    static LiveText start(Load load) {
        return LiveText.start(new LiveLine(load)::next);
    }

    private String next() {
        long requests = load.requests();
        long now = System.nanoTime();
        double rate = Math.max(0, requests - lastRequests) * 1e9 / (now - lastNanos);
        String phase = load.phase().name().toLowerCase(Locale.ROOT).replace('_', ' ');
        lastRequests = requests;
        lastNanos = now;
        return String.format(
                Locale.ROOT, "  %-10s %,12d requests  %,9.0f per second  %,9d blocks verified", phase, requests, rate, load.verifiedBlocks());
    }
}
