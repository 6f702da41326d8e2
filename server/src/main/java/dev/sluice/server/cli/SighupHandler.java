package dev.sluice.server.cli;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.SignalPipe;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, by convention "read your configuration again".
 *
 * <p><b>Threading:</b> actions run on the thread that {@link #install} gets, one at a time. Signals before an action starts are coalesced, as in the kernel.
 */
public final class SighupHandler {
    private SighupHandler() {}

    /**
     * Runs an action on every SIGHUP from now on. If the process was started with SIGHUP ignored, it stays ignored, and a warning is logged.
     *
     * @param thread one that exists, as none could be started at a limit of tasks when the signal comes; may be used for other things that take long as well
     * @throws LaunchException if signals cannot be handled
     */
    public static void install(CallThreads thread, Runnable action) {
        try {
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
                LoggerFactory.getLogger(SighupHandler.class)
                        .warn("SIGHUP has no effect: it was ignored when this process was started, as under nohup, and stays ignored");
            }
        } catch (IOException refused) {
            throw new LaunchException("SIGHUP cannot be handled: " + refused.getMessage(), refused);
        }
    }
}
