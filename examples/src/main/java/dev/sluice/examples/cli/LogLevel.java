package dev.sluice.examples.cli;

import java.util.Iterator;
import java.util.Locale;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/**
 * How much is logged, and the option that says it. Logs go to stderr, a line each: what libraries say from {@code warn} on, what Sluice says from
 * {@code info} on, unless the option or a system property of slf4j-simple says otherwise.
 *
 * <p>A logger takes its level when it is made; so the option works when it is parsed, before anything that logs is touched.
 */
public final class LogLevel {
    private static final String EVERYBODY = "org.slf4j.simpleLogger.defaultLogLevel";
    private static final String SLUICE = "org.slf4j.simpleLogger.log.dev.sluice";

    enum Level {
        TRACE,
        DEBUG,
        INFO,
        WARN,
        ERROR,
        OFF
    }

    /** What a shell completes: the levels as the help writes them. */
    static final class Names implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.of(Level.values()).map(LogLevel::nameOf).iterator();
        }
    }

    /** An option object is made by picocli. */
    public LogLevel() {}

    @Option(names = "--log-level", paramLabel = "LEVEL", completionCandidates = Names.class, description = "What is logged to stderr: trace, debug, info, warn, error or off (default: info).")
    void choose(Level level) {
        System.setProperty(SLUICE, nameOf(level));
        System.setProperty(EVERYBODY, nameOf(level.compareTo(Level.WARN) > 0 ? level : Level.WARN));
    }

    private static String nameOf(Level level) {
        return level.name().toLowerCase(Locale.ROOT);
    }

    /** What holds where nothing else is said. */
    static void initialize() {
        defaultProperty(EVERYBODY, "warn");
        defaultProperty(SLUICE, "info");
        defaultProperty("org.slf4j.simpleLogger.showDateTime", "true");
        defaultProperty("org.slf4j.simpleLogger.dateTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
        defaultProperty("org.slf4j.simpleLogger.showThreadName", "false");
        defaultProperty("org.slf4j.simpleLogger.showShortLogName", "true");
    }

    private static void defaultProperty(String key, String value) {
        if (System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }
}
