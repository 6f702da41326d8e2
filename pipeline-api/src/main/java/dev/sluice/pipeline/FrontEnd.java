package dev.sluice.pipeline;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Brings the requests of others to a disk: what listens, whom it serves, and when it may take requests. A disk is a backend, a pipeline and one or more of
 * these.
 *
 * <p><b>How requests enter.</b> A front end has a {@link RequestQueue} of its own for each stream of requests that it takes from: a virtqueue, a connection.
 * Each is confined to one loop, on which, in this order:
 * <pre>{@code
 * begin  QueueSource source = new QueueSource(loop, queue);
 *        pipeline.connect(source);    // opens the sink of this loop if it is the first
 *        group.join(source);          // the QueueGroup that pause() and resume() of the front end delegate to
 *        source.kicked();             // now, and each time that the queue may have something new
 *
 * end    source.stop(() -> {          // nothing new is taken; called when what is in flight has completed
 *            group.leave(source);
 *            source.whenReleased(...) // free what requests lie in: stages and the kernel have left it
 *        });
 * }</pre>
 * Completions come back through {@link BlockRequest#complete} on that loop; data need not be aligned, sinks see to it. {@code DeviceQueue} of the module
 * block-device is the smallest one to copy from, {@code Virtqueue} of virtio-adapter one with clients that are hostile.
 *
 * <p><b>Threading:</b> any thread but a loop's. <b>Ownership:</b> loops and pipeline stay the caller's, who closes them after the front end. <b>Failure:</b>
 * {@link #start} throws; whatever a client does wrong ends at most its connection; {@link #awaitEnd} throws if serving itself has failed.
 */
public interface FrontEnd extends AutoCloseable {

    /**
     * Begins to serve. Returns when clients can connect.
     *
     * @throws IOException in one line: what failed and what to do; also if it was closed before
     */
    void start() throws IOException;

    /**
     * Takes no further requests until {@link #resume}. Clients stay connected, and others may connect: their requests wait where they are, in a guest's ring or
     * in a socket. Requests in flight continue.
     *
     * @return completes when nothing is in flight, possibly on a loop; cancelled if it is resumed before
     */
    CompletableFuture<Void> pause();

    /** Takes requests again. Does nothing if it is not paused. */
    void resume();

    /**
     * Pauses, and waits until nothing is in flight.
     *
     * @return false if something still was when the limit had passed, or if it was resumed meanwhile; it stays paused in the first case
     */
    default boolean drain(Duration limit) throws InterruptedException {
        try {
            pause().get(limit.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (TimeoutException | CancellationException notIdle) {
            return false;
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof CancellationException) {
                return false;
            }
            throw new IllegalStateException(failed.getCause());
        }
    }

    /**
     * A front end at one moment, for people and monitoring.
     *
     * @param protocol what it speaks, such as {@code vhost-user-blk}
     * @param address where clients connect
     * @param connections clients that are connected
     * @param paused whether it takes no requests
     */
    record Description(String protocol, String address, int connections, boolean paused) {}

    /** What it is and does now. */
    Description describe();

    /**
     * Waits until it serves no more: it was closed, or the one connection that it had inherited has ended.
     *
     * @throws IOException if it has ended for another reason, which it names
     */
    void awaitEnd() throws InterruptedException, IOException;

    /**
     * Accepts nobody any more, ends all connections, and waits until nothing is in flight. Idempotent, and allowed at any time, before and during {@link
     * #start} too.
     */
    @Override
    void close();
}
