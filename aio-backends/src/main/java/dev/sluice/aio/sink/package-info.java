/**
 * What all sinks on raw images have in common: slots and batches, one request's way through the kernel, bounce buffers, refusals. Knows no
 * kernel interface; a kind of sink starts calls and hands in their results.
 *
 * <p>Reading order: {@link dev.sluice.aio.sink.RawSink} (slots and batches), {@code SinkOperation} (one
 * request's way through the kernel), {@code IovecCursor}, {@code BouncePool}, {@link dev.sluice.aio.retry.RetryBackoff}.
 *
 * <p><b>Internal:</b> public for the other packages of Sluice alone. It may change in any release, and the Javadoc of all libraries leaves it out.
 */
@NullMarked
package dev.sluice.aio.sink;

import org.jspecify.annotations.NullMarked;
