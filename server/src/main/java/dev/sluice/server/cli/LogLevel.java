package dev.sluice.server.cli;

import java.util.Iterator;
import java.util.Locale;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/**
 * How much is logged, and the option that sets it. Logs go to stderr, one line each: libraries log from {@code warn} on, Sluice from
 * {@code info} on, unless the option or a system property of slf4j-simple overrides that.
 *
 * <p>A logger takes its level when it is created; so the option takes effect when it is parsed, before any class that logs is loaded.
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

    /** Completion candidates for a shell: the levels as in the help. */
    static final class Names implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.of(Level.values()).map(LogLevel::nameOf).iterator();
        }
    }

    /** Created by picocli. */
    public LogLevel() {}

    @Option(names = "--log-level", paramLabel = "LEVEL", completionCandidates = Names.class,
            description = "Lowest level that is logged to stderr: trace, debug, info, warn, error or off (default: info).")
    void choose(Level level) {
        System.setProperty(SLUICE, nameOf(level));
        System.setProperty(EVERYBODY, nameOf(level.compareTo(Level.WARN) > 0 ? level : Level.WARN));
    }

    private static String nameOf(Level level) {
        return level.name().toLowerCase(Locale.ROOT);
    }

    /** Sets the defaults. */
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
