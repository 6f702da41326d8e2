/**
 * When to try again what the kernel refused for now: {@link dev.sluice.aio.retry.RetryBackoff}, of one request, with an end.
 *
 * <p><b>Internal:</b> public for the other packages of Sluice alone. It may change in any release, and the Javadoc of all libraries leaves it out.
 */
@NullMarked
package dev.sluice.aio.retry;

import org.jspecify.annotations.NullMarked;
