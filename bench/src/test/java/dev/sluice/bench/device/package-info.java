/** Tests of the load on files. */
@NullMarked
package dev.sluice.bench.device;

import org.jspecify.annotations.NullMarked;
