/**
 * The back end of vhost-user: serves {@link dev.sluice.virtio.blk.VirtioBlkDevice disks} on Unix sockets. QEMU
 * {@code docs/interop/vhost-user.rst}.
 *
 * <p>Reading order: {@link dev.sluice.virtio.vhostuser.VhostUserServer} (a device), {@code ServedSocket} with {@code ControlPlane} and
 * {@code ControlThreads} (who waits for front ends, and who serves them), {@code AcceptLoop}, {@code ConnectionServer} (its connections, one after
 * another), {@code VhostUserSession} (one connection, message by message), {@code FrontEndMessage} and {@code MessageStream} (the messages and the bytes),
 * {@code Virtqueue} with its {@code VirtqueueState}, {@code RingState}, {@code VirtqueueEventFds} and {@code KickWatch} (a queue from its set-up to its stop,
 * and the value that it stops with), {@code MemoryTable}.
 *
 * <p>One control thread per connected front end speaks with it. Loops get their work through {@code IoLoop.execute}, and return its result. The
 * front end is hostile: every message is decoded and validated before anything is changed, and whatever a connection has brought
 * is freed when it ends.
 */
@NullMarked
package dev.sluice.virtio.vhostuser;

import org.jspecify.annotations.NullMarked;
