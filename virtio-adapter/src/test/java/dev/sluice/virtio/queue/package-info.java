/** Rings, memory and calls by themselves, against oracles. */
@NullMarked
package dev.sluice.virtio.queue;

import org.jspecify.annotations.NullMarked;
