/** Rules about the module as a whole. */
@NullMarked
package dev.sluice.virtio;

import org.jspecify.annotations.NullMarked;
