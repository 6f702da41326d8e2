package dev.sluice.examples.disk;

import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The threads that serve a process's disks. Immutable.
 *
 * @param count how many, 1 to 64; queue i of a disk is served by loop i modulo their number
 */
public record LoopSpec(int count) {
    private static final int MAX_LOOPS = 64;

    /** One loop. */
    public static final LoopSpec DEFAULT = new LoopSpec(1);

    public LoopSpec {
        if (count < 1 || count > MAX_LOOPS) {
            throw new IllegalArgumentException("number of loops " + count + " is not from 1 to " + MAX_LOOPS);
        }
    }

    /**
     * Starts the loops. They are the caller's, who closes them.
     *
     * @throws LaunchException where this machine cannot have such loops
     * @throws IOException where one cannot be started; none is left running
     */
    List<IoLoop> start() throws IOException {
        IoUringLoop.unavailable().ifPresent(why -> {
            throw new LaunchException(why);
        });
        List<IoLoop> loops = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                loops.add(IoUringLoop.start("sluice-loop-" + i, IoUringLoopOptions.DEFAULT));
            }
        } catch (Throwable failed) {
            loops.forEach(IoLoop::close);
            throw failed;
        }
        return List.copyOf(loops);
    }
}
