/** When to try again what the kernel refused for now: {@link dev.sluice.aio.retry.RetryBackoff}, of one request, with an end. */
@NullMarked
package dev.sluice.aio.retry;

import org.jspecify.annotations.NullMarked;
