/** A disk without a disk behind it, to measure everything else: {@link dev.sluice.aio.nothing.NullBackend}, then {@link dev.sluice.aio.nothing.NullSink}. */
@NullMarked
package dev.sluice.aio.nothing;

import org.jspecify.annotations.NullMarked;
