package dev.sluice.device;

import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;

/**
 * Takes one object from a {@link Pool}, blocking the thread. An object that arrives after an interruption is released.
 *
 * @param <T> what is taken
 */
final class BlockingTake<T extends AutoCloseable> implements Runnable {
    private final Pool<T> pool;
    private final Thread caller = Thread.currentThread();
    private final AtomicReference<@Nullable T> taken = new AtomicReference<>();
    private volatile @Nullable Throwable failure;
    private boolean gone;

    private BlockingTake(Pool<T> pool) {
        this.pool = pool;
    }

    /** Waits in line, unless an object is free at once. */
    static <T extends AutoCloseable> T from(Pool<T> pool) throws InterruptedException, BlockIoException {
        BlockingTake<T> take = new BlockingTake<>(pool);
        take.run();
        return take.await();
    }

    /** Tries to take an object, when one may be free. */
    @Override
    public void run() {
        try {
            @Nullable T one = pool.tryTake();
            if (one == null) {
                pool.whenAvailable(this);
            } else if (!deliver(one)) {
                pool.release(one);
            }
        } catch (Throwable failed) {
            failure = failed;
        }
        LockSupport.unpark(caller);
    }

    private synchronized boolean deliver(T one) {
        if (gone) {
            return false;
        }
        taken.set(one);
        return true;
    }

    private synchronized @Nullable T leave() {
        gone = true;
        return taken.get();
    }

    private T await() throws InterruptedException, BlockIoException {
        while (true) {
            @Nullable T one = taken.get();
            if (one != null) {
                return one;
            }
            Throwable failed = failure;
            if (failed != null) {
                throw refusal(failed);
            }
            LockSupport.park(this);
            if (Thread.interrupted()) {
                @Nullable T late = leave();
                if (late != null) {
                    pool.release(late);
                }
                throw new InterruptedException();
            }
        }
    }

    private static BlockIoException refusal(Throwable failed) {
        if (failed instanceof IllegalStateException) {
            return BlockIoException.closed();
        }
        throw Exceptions.propagate(failed);
    }
}
