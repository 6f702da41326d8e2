package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The one thread that waits for front ends of all devices of a process, and the {@link ControlThreads} that serve those that connect. A device that nobody is
 * connected to needs no thread: it is <em>watched</em>. When its socket becomes readable it is <em>busy</em>: a control thread has it, until it is watched
 * again or gone.
 *
 * <pre>
 *   watch: -> WATCHED    socket readable, thread: WATCHED -> BUSY    serve returns true: BUSY -> WATCHED, false: BUSY -> gone    take: WATCHED -> gone
 * </pre>
 *
 * <p><b>Threading:</b> any. The watching thread never waits for a device: it does not accept but where it refuses. <b>Ownership:</b> devices stay their
 * servers'; whoever {@link #enter}s leaves once. <b>Failure:</b> without a thread for a connection the device is asked to {@linkplain Device#refuse refuse} it.
 */
final class ControlPlane {
    /** A listening socket and who serves it. */
    interface Device {
        int listeningFd();

        /**
         * Serves who connects. On a control thread.
         *
         * @return whether the device is to be watched again; otherwise it has freed all that it had
         */
        boolean serve();

        /**
         * Disconnects who has connected, as no thread can be started to serve it. On the watching thread, which must not wait.
         *
         * @return false if that is impossible, so that the socket stays readable
         */
        boolean refuse(Throwable why);
    }

    private static final class Watched {
        final Device device;
        /** A number, as the socket may be closed while the watching thread has an older list. */
        final int fd;
        /** Whether it is looked at from {@link #fromNanos} on only. */
        final boolean later;
        final long fromNanos;

        Watched(Device device, long pauseNanos) {
            this.device = device;
            this.fd = device.listeningFd();
            this.later = pauseNanos > 0;
            this.fromNanos = later ? System.nanoTime() + pauseNanos : 0;
        }
    }

    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final int FOREVER = -1;

    private static @Nullable ControlPlane shared;

    private final ControlThreads threads;
    private final Fd wake;
    private final Thread watching;
    private int servers;
    private final List<Watched> watched = new ArrayList<>();
    private final Set<Device> busy = new HashSet<>();
    /** Whether {@link #watched} has changed since the watching thread has looked. */
    private boolean changed = true;
    private boolean ended;

    ControlPlane(ThreadFactory factory) throws IOException {
        threads = new ControlThreads(factory);
        int made = EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK);
        if (made < 0) {
            throw new IOException("eventfd: " + Errno.describe(made));
        }
        wake = Fd.adopt(made);
        watching = Thread.ofPlatform().name("sluice-vhost-user").unstarted(this::watchAll);
    }

    // ---- life

    /**
     * The control plane of this process, which begins with the first server and ends with the last.
     *
     * @throws IOException with one line if one of its threads cannot be started
     */
    static ControlPlane enter() throws IOException {
        synchronized (ControlPlane.class) {
            ControlPlane plane = shared;
            if (plane == null) {
                plane = new ControlPlane(Thread.ofPlatform().name("sluice-control-", 0).factory());
                plane.begin();
            } else {
                plane.admit();
            }
            plane.servers++;
            shared = plane;
            return plane;
        }
    }

    /** Starts it for one device. */
    void begin() throws IOException {
        try {
            threads.admit();
        } catch (Throwable refused) {
            wake.close();
            throw refused;
        }
        try {
            watching.start();
        } catch (Throwable refused) {
            threads.dismiss();
            wake.close();
            throw new IOException("cannot start the thread that waits for front ends (" + refused.getMessage() + "): " + ControlThreads.advice(), refused);
        }
    }

    /** For one device more. */
    void admit() throws IOException {
        threads.admit();
    }

    /** A server has ended. With the last one the threads terminate; waits for the watching one. */
    void leave() {
        threads.dismiss();
        synchronized (ControlPlane.class) {
            servers--;
            if (servers > 0) {
                return;
            }
            if (shared == this) {
                shared = null;
            }
        }
        end();
    }

    /** Also where it is not the shared one. */
    void end() {
        synchronized (this) {
            ended = true;
            wakeUp();
        }
        boolean interrupted = false;
        while (true) {
            try {
                watching.join();
                break;
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- devices

    /** Waits for front ends of a device from now on. */
    void watch(Device device) {
        watch(device, 0);
    }

    private synchronized void watch(Device device, long pauseNanos) {
        // In this order: where there is no memory for it nothing has happened.
        watched.add(new Watched(device, pauseNanos));
        busy.remove(device);
        notifyAll();
        wakeUp();
    }

    /**
     * Has a control thread serve a device at once.
     *
     * @throws IOException with one line if there is none; then nothing has happened
     */
    void serveNow(Device device) throws IOException {
        synchronized (this) {
            busy.add(device);
        }
        Throwable refused = threads.run(() -> serve(device));
        if (refused != null) {
            gone(device);
            throw new IOException(device + ": cannot start a thread for the front end (" + refused.getMessage() + "): " + ControlThreads.advice(), refused);
        }
    }

    /**
     * Ends waiting for front ends of a device; where a control thread has it, waits until that has finished.
     *
     * @return whether the device was watched and its socket is the caller's now; otherwise it has freed what it had
     */
    synchronized boolean take(Device device) {
        boolean interrupted = false;
        while (busy.contains(device)) {
            try {
                wait();
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        boolean taken = watched.removeIf(entry -> entry.device == device);
        if (taken) {
            wakeUp();
        }
        return taken;
    }

    private synchronized void gone(Device device) {
        busy.remove(device);
        notifyAll();
    }

    /** Under the monitor. */
    private void wakeUp() {
        changed = true;
        int _ = EventFd.signal(wake.number());
    }

    /** What remains to be done is returned: a device is watched again when its thread is free for the next one, so that the front end of no device is refused. */
    private Runnable serve(Device device) {
        try {
            if (device.serve()) {
                return () -> watchPatiently(device, 0);
            }
        } catch (Throwable bug) {
            ControlThreads.report(device + ": the server ends on an error of Sluice", bug);
        }
        return () -> gone(device);
    }

    /** Nobody else would watch the device, so it waits for memory if there is none. */
    private void watchPatiently(Device device, long pauseNanos) {
        while (true) {
            try {
                watch(device, pauseNanos);
                return;
            } catch (OutOfMemoryError none) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
    }

    // ---- the watching thread

    private void watchAll() {
        List<Watched> looked = new ArrayList<>();
        PollSet ready = new PollSet(2);
        try {
            while (true) {
                try {
                    synchronized (this) {
                        if (ended) {
                            return;
                        }
                        if (changed) {
                            looked.clear();
                            looked.addAll(watched);
                            changed = false;
                        }
                    }
                    if (ready.capacity() <= looked.size()) {
                        PollSet larger = new PollSet(2 * looked.size() + 2);
                        ready.close();
                        ready = larger;
                    }
                    look(ready, looked);
                } catch (Throwable failed) {
                    // Out of memory, say: nobody else waits for front ends.
                    ControlThreads.report("waiting for front ends failed; trying again", failed);
                    LockSupport.parkNanos(PAUSE_NANOS);
                }
            }
        } finally {
            ready.close();
            wake.close();
        }
    }

    private void look(PollSet ready, List<Watched> looked) throws IOException {
        long now = System.nanoTime();
        long pauseNanos = Long.MAX_VALUE;
        ready.clear();
        ready.add(wake.number(), Poll.POLLIN);
        for (Watched entry : looked) {
            long leftNanos = entry.later ? entry.fromNanos - now : 0;
            // A negative descriptor is passed over: those that have failed would make it return at once.
            ready.add(leftNanos > 0 ? -1 : entry.fd, Poll.POLLIN);
            if (leftNanos > 0) {
                pauseNanos = Math.min(pauseNanos, leftNanos);
            }
        }
        int result = ready.await(pauseNanos == Long.MAX_VALUE ? FOREVER : (int) TimeUnit.NANOSECONDS.toMillis(pauseNanos) + 1);
        if (result < 0 && result != -Errno.EINTR) {
            throw new IOException("poll: " + Errno.describe(result));
        }
        if (result <= 0) {
            return;
        }
        long _ = EventFd.drain(wake.number());
        for (int i = 0; i < looked.size(); i++) {
            if (ready.revents(i + 1) != 0) {
                handOver(looked.get(i));
            }
        }
    }

    private void handOver(Watched entry) {
        Device device = entry.device;
        synchronized (this) {
            if (!watched.contains(entry)) {
                // Taken meanwhile, and its descriptor perhaps another file's.
                return;
            }
            busy.add(device);
            watched.remove(entry);
            changed = true;
        }
        Throwable refused = handOver(device);
        if (refused != null) {
            boolean disconnected = false;
            try {
                disconnected = device.refuse(refused);
            } finally {
                watchPatiently(device, disconnected ? 0 : PAUSE_NANOS);
            }
        }
    }

    /** Returns why that is impossible, null if it is done. */
    private @Nullable Throwable handOver(Device device) {
        try {
            return threads.run(() -> serve(device));
        } catch (OutOfMemoryError none) {
            return none;
        }
    }
}
