package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.VirtioBlkQueue.NO_FD;

import dev.sluice.virtio.queue.CallBatch;

/**
 * The interrupts of one queue, through the eventfds that its driver has at the moment. One that is due while there is no eventfd is owed, and sent when there
 * is one.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> the eventfds are borrowed until others take their place. <b>Allocation:</b> as {@link CallBatch}.
 */
final class QueueInterrupts {
    private final CallBatch calls;
    private final GuardedObserver observer;
    private int callFd = NO_FD;
    private int errFd = NO_FD;
    /** One was due while there was no eventfd for it, or may have been before this queue took the ring over. */
    private boolean owed;

    QueueInterrupts(CallBatch calls, GuardedObserver observer) {
        this.calls = calls;
        this.observer = observer;
    }

    /** The eventfds from now on, or {@link VirtioBlkQueue#NO_FD}. The old ones are not used any more after this returns. */
    void eventFds(int newCallFd, int newErrFd) {
        calls.flush();
        boolean missed = callFd != NO_FD && calls.withdraw(callFd);
        if (errFd != NO_FD && calls.withdraw(errFd) && newErrFd != NO_FD) {
            calls.add(newErrFd);
        }
        callFd = newCallFd;
        errFd = newErrFd;
        if (missed) {
            owed = true;
            sendOwed();
        }
    }

    /** The driver gets an interrupt with the next {@link #sendOwed}. */
    void owe() {
        owed = true;
    }

    void sendOwed() {
        if (owed && callFd != NO_FD) {
            owed = false;
            calls.add(callFd);
            observer.published(0, true);
        }
    }

    boolean owed() {
        return owed;
    }

    /** An interrupt is due. Returns whether it is sent, with the end of the tick; else it is owed. */
    boolean send() {
        if (callFd == NO_FD) {
            owed = true;
            return false;
        }
        calls.add(callFd);
        return true;
    }

    /** The queue is broken. */
    void sendErr() {
        if (errFd != NO_FD) {
            calls.add(errFd);
        }
    }

    /** Sends now, not at the end of the tick. */
    void flush() {
        calls.flush();
    }
}
