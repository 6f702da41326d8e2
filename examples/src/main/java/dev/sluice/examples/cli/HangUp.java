package dev.sluice.examples.cli;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.SignalPipe;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, by convention "read your configuration again".
 *
 * <p><b>Threading:</b> actions run on a thread that exists from {@link #run} on, one at a time. Signals that come before one has begun are one, as the kernel has it too.
 */
public final class HangUp {
    private HangUp() {}

    /**
     * Runs an action at every SIGHUP from now on. Where the process was started with it ignored it stays so, and a warning says that.
     *
     * @throws LaunchException where signals cannot be heard, or no thread can be had
     */
    public static void run(Runnable action) {
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
                LoggerFactory.getLogger(HangUp.class)
                        .warn("SIGHUP has no effect: it was ignored when this process was started, as under nohup, and it is left at that");
            }
        } catch (IOException refused) {
            throw new LaunchException("SIGHUP cannot be handled: " + refused.getMessage(), refused);
        }
    }
}
