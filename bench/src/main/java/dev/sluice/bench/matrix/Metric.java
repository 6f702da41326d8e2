package dev.sluice.bench.matrix;

import dev.sluice.bench.load.LoadReport;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.function.Function;

/** A figure of a row, in the order of the table's columns. */
enum Metric {
    IOPS("iops", "IOPS", "%,.0f", true, report -> OptionalDouble.of(report.all().requests() / report.seconds())),
    CPU_MICROS("backendCpuMicrosPerRequest", "CPU us/request", "%,.3f", false, LoadReport::cpuMicrosPerRequest),
    PER_CPU_SECOND("requestsPerCpuSecond", "requests/CPU s", "%,.0f", true, report -> inverse(report.cpuMicrosPerRequest())),
    P50("p50Micros", "p50 us", "%,.1f", false, report -> OptionalDouble.of(report.all().p50())),
    P99("p99Micros", "p99 us", "%,.1f", false, report -> OptionalDouble.of(report.all().p99())),
    P999("p999Micros", "p99.9 us", "%,.1f", false, report -> OptionalDouble.of(report.all().p999())),
    /** p99.9 of the worst queue over that of the best: 1 is fair. */
    UNFAIRNESS("p999WorstQueueOverBest", "p99.9 worst/best queue", "%,.2f", false, Metric::unfairness),
    HEAP_BYTES("heapBytesPerRequest", "heap B/request", "%,.2f", false, report -> report.window().heapBytes()),
    KICKS("kicksPerRequest", "kicks/request", "%,.4f", false, report -> report.window().kicks()),
    CALLS("callsPerRequest", "interrupts/request", "%,.4f", false, report -> report.window().calls()),
    ENTERS("entersPerRequest", "enters/request", "%,.4f", false, report -> report.window().enters()),
    /** Between the CPUs of backend and load, before and after the figure. */
    ROUND_TRIP("roundTripNanos", "CPUs apart, ns", "%,.0f", false, report -> OptionalDouble.empty()),
    /** Of the load, and of a backend that always polls: below 1, something else ran on one of their CPUs. */
    CPU_SHARE("cpuShare", "share of their CPUs", "%,.2f", true, report -> OptionalDouble.empty());

    private final String field;
    private final String title;
    private final String format;
    private final boolean moreIsBetter;
    @SuppressWarnings("ImmutableEnumChecker") // a function without state
    private final Function<LoadReport, OptionalDouble> of;

    Metric(String field, String title, String format, boolean moreIsBetter, Function<LoadReport, OptionalDouble> of) {
        this.field = field;
        this.title = title;
        this.format = format;
        this.moreIsBetter = moreIsBetter;
        this.of = of;
    }

    /** Its name in JSON. */
    String field() {
        return field;
    }

    /** Its name for people, with the unit. */
    String title() {
        return title;
    }

    boolean moreIsBetter() {
        return moreIsBetter;
    }

    String format(double value) {
        return String.format(Locale.ROOT, format, value);
    }

    /** Empty if the load did not produce it. */
    OptionalDouble of(LoadReport report) {
        return of.apply(report);
    }

    private static OptionalDouble inverse(OptionalDouble micros) {
        return micros.isPresent() && micros.getAsDouble() > 0 ? OptionalDouble.of(1e6 / micros.getAsDouble()) : OptionalDouble.empty();
    }

    private static OptionalDouble unfairness(LoadReport report) {
        int queues = report.rows().size() - 1;
        if (queues < 2) {
            return OptionalDouble.empty();
        }
        double worst = 0;
        double best = Double.MAX_VALUE;
        for (LoadReport.Row queue : report.rows().subList(0, queues)) {
            worst = Math.max(worst, queue.p999());
            best = Math.min(best, queue.p999());
        }
        return best > 0 ? OptionalDouble.of(worst / best) : OptionalDouble.empty();
    }
}
