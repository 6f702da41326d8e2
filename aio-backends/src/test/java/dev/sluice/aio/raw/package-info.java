/** Tests of opening images, and of the locks against the real QEMU. */
@NullMarked
package dev.sluice.aio.raw;

import org.jspecify.annotations.NullMarked;
