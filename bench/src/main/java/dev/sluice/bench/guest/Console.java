package dev.sluice.bench.guest;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * The output of a guest's serial console, line by line: kept for the result, and passed to a consumer as it arrives.
 *
 * <p><b>Threading:</b> one thread of its own reads and calls the consumer; the other methods are for any thread.
 * <b>Failure:</b> output beyond {@value #CHARS_MAX} characters is still read but no longer kept.
 */
final class Console {
    private static final int CHARS_MAX = 4 << 20;
    private static final int TAIL_CHARS = 4000;

    private final Consumer<String> consumer;
    private final Lock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final StringBuilder text = new StringBuilder();
    private boolean ended;

    private Console(Consumer<String> consumer) {
        this.consumer = consumer;
    }

    /** Starts reading; {@code in} is closed at its end. */
    static Console follow(BufferedReader in, Consumer<String> consumer) {
        Console console = new Console(consumer);
        Thread.ofPlatform().daemon().name("sluice-guest-console").start(() -> console.read(in));
        return console;
    }

    private void read(BufferedReader in) {
        try (in) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                keep(line);
                consumer.accept(line);
            }
        } catch (IOException e) {
            keep("(the console broke: " + e.getMessage() + ")");
        } finally {
            end();
        }
    }

    private void keep(String line) {
        lock.lock();
        try {
            if (text.length() < CHARS_MAX) {
                text.append(line).append('\n');
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void end() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits until a line is exactly {@code line}.
     *
     * @return false if the console ended, or the deadline passed, without it
     */
    boolean awaitLine(String line, long deadlineNanos) throws InterruptedException {
        return await(() -> ended || containsLine(line), deadlineNanos) && containsLine(line);
    }

    /** Waits until everything has been read. */
    boolean awaitEnd(long deadlineNanos) throws InterruptedException {
        return await(() -> ended, deadlineNanos);
    }

    String text() {
        lock.lock();
        try {
            return text.toString();
        } finally {
            lock.unlock();
        }
    }

    /** The last lines, for an error message. */
    String tail() {
        String all = text();
        return all.substring(Math.max(0, all.length() - TAIL_CHARS)).strip();
    }

    private boolean await(BooleanSupplier condition, long deadlineNanos) throws InterruptedException {
        lock.lock();
        try {
            while (!condition.getAsBoolean()) {
                if (changed.awaitNanos(deadlineNanos - System.nanoTime()) <= 0) {
                    return condition.getAsBoolean();
                }
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    private boolean containsLine(String line) {
        return ("\n" + text()).contains("\n" + line + "\n");
    }
}
