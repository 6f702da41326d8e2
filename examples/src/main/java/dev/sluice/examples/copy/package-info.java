/**
 * A copy of an image that takes no more space than its source, can be resumed after it was killed, and is verified at the end. Reading order:
 * {@link dev.sluice.examples.copy.ImageCopy}, {@link dev.sluice.examples.copy.Extents} (where the data is),
 * {@link dev.sluice.examples.copy.CopyJournal} (what is done already), {@link dev.sluice.examples.copy.ChunkChecksum} (how it is verified),
 * {@link dev.sluice.examples.copy.CopyProgress}.
 */
@NullMarked
package dev.sluice.examples.copy;

import org.jspecify.annotations.NullMarked;
