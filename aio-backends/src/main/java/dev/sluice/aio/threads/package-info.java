/**
 * Threads for calls that block: those of the {@code nio} backend, and those that neither Linux AIO nor io_uring can take.
 *
 * <p>Reading order: {@link dev.sluice.aio.threads.CallThreads}.
 */
@NullMarked
package dev.sluice.aio.threads;

import org.jspecify.annotations.NullMarked;
