package dev.sluice.virtio.driver;

import dev.sluice.linux.Fd;
import dev.sluice.virtio.layout.VhostUser;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A message that was received.
 *
 * <p><b>Ownership</b>: the descriptors are the receiver's; {@link #close()} closes them.
 *
 * @param request {@code VhostUser.GET_*} and so on
 * @param flags version and {@code FLAG_*} as they came
 * @param payload a copy
 * @param fds that came with it
 */
public record VhostUserMessage(int request, int flags, MemorySegment payload, List<Fd> fds) implements AutoCloseable {
    public VhostUserMessage {
        fds = List.copyOf(fds);
    }

    /** The payload as one number. */
    public long u64() {
        return VhostUser.u64(payload, 0);
    }

    @Override
    public void close() {
        fds.forEach(Fd::close);
    }
}
