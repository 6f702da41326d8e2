package dev.sluice.server.cli;

import dev.sluice.linux.SignalPipe;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/**
 * The signals of this process, received by a thread that exists before anything is served: the JVM would start a thread for each signal, and drop the signal
 * if it could not.
 *
 * <p><b>Threading:</b> actions run on that thread, one after the other: they must not block. <b>Failure:</b> {@link IOException} if signals cannot be received
 * this way; the JVM's handlers are left unchanged then.
 */
final class Signals {
    private static @Nullable Signals heard;

    private final SignalPipe pipe;
    private final Map<Integer, Runnable> actions = new ConcurrentHashMap<>();

    private Signals(SignalPipe pipe) {
        this.pipe = pipe;
    }

    /**
     * Runs an action on each of these signals from now on. A signal that this process was started with ignored stays ignored.
     *
     * @return false if it is ignored
     */
    static synchronized boolean handle(int signal, Runnable action) throws IOException {
        Signals signals = heard;
        if (signals == null) {
            signals = new Signals(SignalPipe.open());
            Thread.ofPlatform().daemon().name("sluice-signals").start(signals::hear);
            heard = signals;
        }
        signals.actions.put(signal, action);
        boolean taken = signals.pipe.take(signal);
        if (!taken) {
            signals.actions.remove(signal);
        }
        return taken;
    }

    /** Removes an action. The signal then has its default effect on a JVM. */
    static synchronized void release(int signal, Runnable action) {
        if (heard != null) {
            heard.actions.remove(signal, action);
        }
    }

    private void hear() {
        while (true) {
            try {
                int signal = pipe.await();
                Runnable action = actions.get(signal);
                if (action == null) {
                    // As the JVM does: exit with 128 plus the number, after the hooks.
                    Runtime.getRuntime().exit(128 + signal);
                } else {
                    action.run();
                }
            } catch (IOException broken) {
                LoggerFactory.getLogger(Signals.class).error("signals are no longer received: {}", broken.getMessage());
                return;
            } catch (RuntimeException | Error failed) {
                LoggerFactory.getLogger(Signals.class).error("the handler of a signal failed", failed);
            }
        }
    }
}
