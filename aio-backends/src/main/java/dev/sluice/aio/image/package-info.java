/**
 * What all sinks of one open image share, whatever their kind: whether writeback has failed ({@link dev.sluice.aio.image.WritebackState}) and where the
 * image ends now ({@link dev.sluice.aio.image.ImageSize}); and what is common to the backends that open one ({@link dev.sluice.aio.image.ImageBackend}). The
 * JDK alone, as the portable backend uses it too.
 *
 * <p><b>Internal:</b> public for the other packages of Sluice alone. It may change in any release, and the Javadoc of all libraries leaves it out.
 */
@NullMarked
package dev.sluice.aio.image;

import org.jspecify.annotations.NullMarked;
