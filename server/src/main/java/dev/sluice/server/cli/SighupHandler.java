package dev.sluice.server.cli;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.SignalPipe;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, by convention "read your configuration again".
 *
 * <p><b>Threading:</b> actions run on a thread that {@link #install} starts, one at a time. Signals before an action starts are coalesced, as in the kernel.
 */
public final class SighupHandler {
    private SighupHandler() {}

    /**
     * Runs an action on every SIGHUP from now on. If the process was started with SIGHUP ignored, it stays ignored, and a warning is logged.
     *
     * @throws LaunchException if signals cannot be handled, or no thread can be started
     */
    public static void install(Runnable action) {
        try {
            CallThreads thread = CallThreads.start("sluice-reload-", 1);
            AtomicBoolean due = new AtomicBoolean();
            Runnable once = () -> {
                due.set(false);
                action.run();
            };
            boolean taken = Signals.handle(SignalPipe.SIGHUP, () -> {
                if (due.compareAndSet(false, true)) {
                    boolean _ = thread.run(once);
                }
            });
            if (!taken) {
                thread.close();
                LoggerFactory.getLogger(SighupHandler.class)
                        .warn("SIGHUP has no effect: it was ignored when this process was started, as under nohup, and stays ignored");
            }
        } catch (IOException refused) {
            throw new LaunchException("SIGHUP cannot be handled: " + refused.getMessage(), refused);
        }
    }
}
