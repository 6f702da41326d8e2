/**
 * When to try again what was refused for now: {@link dev.sluice.aio.retry.Backoff} (pauses that double), {@link dev.sluice.aio.retry.RetryBackoff} (of one
 * request, with an end). Knows the JDK alone.
 */
@NullMarked
package dev.sluice.aio.retry;

import org.jspecify.annotations.NullMarked;
