/**
 * The device side of split virtqueues: guest memory, rings, descriptor chains. Knows no block device.
 *
 * <p>Reading order: {@link dev.sluice.virtio.queue.GuestMemory} and its {@link dev.sluice.virtio.queue.MemoryRegion}s,
 * {@link dev.sluice.virtio.queue.SplitRing} (the three areas and their indexes), {@link dev.sluice.virtio.queue.DescriptorChain} (one
 * request's buffers, copied once and judged), {@link dev.sluice.virtio.queue.IovecSlab}, {@link dev.sluice.virtio.queue.CallBatch}.
 *
 * <p>The guest is hostile. Guest memory is touched through bounds-checked views only; each field is read once and judged on the copy.
 */
@NullMarked
package dev.sluice.virtio.queue;

import org.jspecify.annotations.NullMarked;
