/** Tests of pauses between tries. */
@NullMarked
package dev.sluice.aio.retry;

import org.jspecify.annotations.NullMarked;
