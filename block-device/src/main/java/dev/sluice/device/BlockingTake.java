package dev.sluice.device;

import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;

/**
 * Takes one thing from a {@link Lender}, for a thread that waits. What comes when the thread has been interrupted is given back.
 *
 * @param <T> what is taken
 */
final class BlockingTake<T extends AutoCloseable> implements Runnable {
    private final Lender<T> lender;
    private final Thread caller = Thread.currentThread();
    private final AtomicReference<@Nullable T> taken = new AtomicReference<>();
    private volatile @Nullable Throwable failure;
    private boolean gone;

    private BlockingTake(Lender<T> lender) {
        this.lender = lender;
    }

    /** Waits its turn behind those who have asked before, unless one is there at once. */
    static <T extends AutoCloseable> T from(Lender<T> lender) throws InterruptedException, BlockIoException {
        BlockingTake<T> take = new BlockingTake<>(lender);
        take.run();
        return take.await();
    }

    /** The attempt, when one may be there. */
    @Override
    public void run() {
        try {
            @Nullable T one = lender.tryTake();
            if (one == null) {
                lender.whenAvailable(this);
            } else if (!deliver(one)) {
                lender.giveBack(one);
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
                    lender.giveBack(late);
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
