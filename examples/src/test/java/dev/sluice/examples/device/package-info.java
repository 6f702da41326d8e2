/** Tests of the load on files. */
@NullMarked
package dev.sluice.examples.device;

import org.jspecify.annotations.NullMarked;
