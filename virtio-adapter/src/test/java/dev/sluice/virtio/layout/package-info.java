/** The wire layouts against struct declarations. */
@NullMarked
package dev.sluice.virtio.layout;

import org.jspecify.annotations.NullMarked;
