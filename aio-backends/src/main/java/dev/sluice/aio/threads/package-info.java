/**
 * Threads for calls that block: those of the {@code nio} backend, and those that neither Linux AIO nor io_uring can take.
 *
 * <p>Reading order: {@link dev.sluice.aio.threads.CallThreads}, {@code Workers}, {@link dev.sluice.aio.threads.ThreadShortage}.
 *
 * <p><b>Internal:</b> public for the other packages of Sluice alone. It may change in any release, and the Javadoc of all libraries leaves it out.
 */
@NullMarked
package dev.sluice.aio.threads;

import org.jspecify.annotations.NullMarked;
