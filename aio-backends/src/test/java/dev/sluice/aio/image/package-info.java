/** Tests of what the sinks of an image share. */
@NullMarked
package dev.sluice.aio.image;

import org.jspecify.annotations.NullMarked;
