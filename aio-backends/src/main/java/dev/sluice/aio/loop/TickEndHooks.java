package dev.sluice.aio.loop;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop.TickEndHook;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The hooks of the current tick, in the order of calls; a hook may add others to the same tick.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none once the array has grown to the hooks of a busy tick.
 */
final class TickEndHooks {
    private @Nullable TickEndHook[] hooks = new TickEndHook[16];
    private int count;

    void add(TickEndHook hook) {
        if (count == hooks.length) {
            hooks = Arrays.copyOf(hooks, count * 2);
        }
        hooks[count++] = hook;
    }

    void runAll(TickLoop loop) {
        for (int i = 0; i < count; i++) {
            TickEndHook hook = hooks[i];
            hooks[i] = null;
            if (hook == null) {
                continue;
            }
            try {
                hook.run();
                // A fault in shared memory is thrown late (see NativeMemory): here, where it is this hook's.
                NativeMemory.surfaceFault();
            } catch (Throwable failure) {
                loop.failed("a tick-end hook", failure);
            }
        }
        count = 0;
    }
}
