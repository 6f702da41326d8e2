package dev.sluice.bench.guest;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The serial port of a machine, as a person at a terminal uses it: waits for a text, types an answer. A prompt is not a line: {@link Console} does
 * not see it.
 */
final class SerialPort {
    private static final Duration TIME_LIMIT = Duration.ofMinutes(4);
    private static final int TAIL_CHARS = 4000;

    private final Process qemu;
    private final OutputStream keyboard;
    private final Lock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final StringBuilder text = new StringBuilder();
    private boolean ended;
    private int seen;

    SerialPort(Process qemu) {
        this.qemu = qemu;
        keyboard = qemu.getOutputStream();
        Thread.ofPlatform().daemon().name("serial-port").start(() -> read(qemu.getInputStream()));
    }

    private void read(InputStream in) {
        byte[] buffer = new byte[4096];
        try (in) {
            for (int length = in.read(buffer); length >= 0; length = in.read(buffer)) {
                add(new String(buffer, 0, length, StandardCharsets.ISO_8859_1), false);
            }
        } catch (IOException e) {
            add("(the serial port broke: " + e.getMessage() + ")", false);
        } finally {
            add("", true);
        }
    }

    private void add(String more, boolean last) {
        lock.lock();
        try {
            text.append(more);
            ended |= last;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Types a line. */
    void type(String line) throws IOException {
        keyboard.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
        keyboard.flush();
    }

    /**
     * Waits for a text after the one that was awaited last.
     *
     * @return what came before it
     * @throws AssertionError when QEMU stopped, or the time passed, without it
     */
    String await(String expected) throws InterruptedException {
        long deadlineNanos = System.nanoTime() + TIME_LIMIT.toNanos();
        lock.lock();
        try {
            while (true) {
                int found = text.indexOf(expected, seen);
                if (found >= 0) {
                    String before = text.substring(seen, found);
                    seen = found + expected.length();
                    return before;
                }
                if (ended || changed.awaitNanos(deadlineNanos - System.nanoTime()) <= 0) {
                    String why = ended ? "QEMU stopped" : TIME_LIMIT.toSeconds() + " s passed";
                    throw new AssertionError(why + " without \"" + expected + "\"; the serial port's last output:\n" + tail());
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits until QEMU has stopped.
     *
     * @return everything that came
     */
    String awaitEnd() throws InterruptedException {
        long deadlineNanos = System.nanoTime() + TIME_LIMIT.toNanos();
        lock.lock();
        try {
            while (!ended) {
                if (changed.awaitNanos(deadlineNanos - System.nanoTime()) <= 0) {
                    throw new AssertionError("QEMU did not stop within " + TIME_LIMIT.toSeconds() + " s; the serial port's last output:\n" + tail());
                }
            }
        } finally {
            lock.unlock();
        }
        if (!qemu.waitFor(TIME_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
            throw new AssertionError("QEMU closed its serial port and did not stop");
        }
        return text.toString();
    }

    private String tail() {
        return text.substring(Math.max(0, text.length() - TAIL_CHARS));
    }
}
