/** Tests of what all sinks on raw images have in common. */
@NullMarked
package dev.sluice.aio.sink;

import org.jspecify.annotations.NullMarked;
