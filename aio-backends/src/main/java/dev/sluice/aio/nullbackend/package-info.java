/**
 * A disk without a disk behind it, to measure everything else: {@link dev.sluice.aio.nullbackend.NullBackend}, then {@code NullSink}.
 */
@NullMarked
package dev.sluice.aio.nullbackend;

import org.jspecify.annotations.NullMarked;
