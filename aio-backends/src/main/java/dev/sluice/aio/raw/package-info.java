/**
 * Raw images: how a file or block device is opened, locked against others, measured and aligned. Knows no ring and no loop, so that every
 * kind of sink opens images the same way.
 *
 * <p>Reading order: {@link dev.sluice.aio.raw.RawImage}, {@link dev.sluice.aio.raw.ImageLock},
 * {@link dev.sluice.aio.raw.DirectAlignment}, {@code ImageGeometry}.
 *
 * <p><b>Internal:</b> public for the other packages of Sluice alone. It may change in any release, and the Javadoc of all libraries leaves it out.
 */
@NullMarked
package dev.sluice.aio.raw;

import org.jspecify.annotations.NullMarked;
