/**
 * The loop and the sink on io_uring: the only package that sees Netty's io_uring classes.
 *
 * <p>Reading order: {@link dev.sluice.aio.uring.IoUringLoop}, {@code RingEntry} (how a completion comes back),
 * {@code RingOps} (what can be asked of the kernel), {@code EventFdWatch}; then
 * {@link dev.sluice.aio.uring.IoUringBackendProvider}, {@code UringBackend}, {@code UringSink}.
 */
@NullMarked
package dev.sluice.aio.uring;

import org.jspecify.annotations.NullMarked;
