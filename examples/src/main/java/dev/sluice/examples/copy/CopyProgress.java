package dev.sluice.examples.copy;

import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;

/** The progress of a copy, as a line with a bar. Any thread. */
public final class CopyProgress {
    private static final int BAR = 30;
    private static final double MIB = 1 << 20;
    private static final double NANOS = 1e9;

    private record Phase(String name, long totalBytes, long startNanos) {}

    private final AtomicLong doneBytes = new AtomicLong();
    private volatile Phase phase = new Phase("looking", 0, System.nanoTime());

    /** Nothing is done yet. */
    public CopyProgress() {}

    void begin(String name, long totalBytes) {
        doneBytes.set(0);
        phase = new Phase(name, totalBytes, System.nanoTime());
    }

    void done(long bytes) {
        doneBytes.addAndGet(bytes);
    }

    /** For instance {@code copying   [#######-----]  61%  1,250.0 of 2,048.0 MiB  812.4 MiB/s  1 s left}. */
    public String line() {
        Phase now = phase;
        long done = Math.min(doneBytes.get(), now.totalBytes());
        double share = now.totalBytes() == 0 ? 1 : (double) done / now.totalBytes();
        double rate = done / Math.max(1e-3, (System.nanoTime() - now.startNanos()) / NANOS);
        int filled = (int) (share * BAR);
        String left = rate > 0 ? String.format(Locale.ROOT, "%,.0f s left", Math.ceil((now.totalBytes() - done) / rate)) : "";
        return String.format(
                Locale.ROOT, "  %-9s [%s%s] %3.0f%%  %,.1f of %,.1f MiB  %,.1f MiB/s  %s", now.name(), "#".repeat(filled), "-".repeat(BAR - filled),
                Math.floor(share * 100), done / MIB, now.totalBytes() / MIB, rate / MIB, left);
    }
}
