/** Tests of images that are mapped. */
@NullMarked
package dev.sluice.aio.mapped;

import org.jspecify.annotations.NullMarked;
