package dev.sluice.pipeline;

/**
 * An opened image.
 *
 * <p><b>Threading:</b> any thread, but for {@link #openSink}, which runs on the loop it is given. <b>Ownership:</b> whoever opened the
 * backend closes it, after its sinks.
 */
public interface BlockBackend extends AutoCloseable {

    /** Name of the provider, for instance {@code io_uring}. */
    String name();

    BlockGeometry geometry();

    /** What has befallen the image since it was opened. Any thread; no system call. */
    default BackendHealth health() {
        return BackendHealth.GOOD;
    }

    /**
     * A sink for one loop: its own AIO context or its own ring entries. Called on that loop's thread.
     *
     * @throws IllegalArgumentException where this backend cannot work on that kind of loop; the message says which it needs
     */
    BlockSink openSink(IoLoop loop);

    /** Closes the image and gives up its lock. Idempotent. */
    @Override
    void close();
}
