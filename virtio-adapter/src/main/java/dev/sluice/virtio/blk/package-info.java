/**
 * The virtio block device: what it offers, its requests, its queues. VIRTIO 1.3 §5.2.
 *
 * <p>Reading order: {@link dev.sluice.virtio.blk.VirtioBlkDevice} (features and configuration space),
 * {@link dev.sluice.virtio.blk.VirtioBlkRequest} (how a chain becomes a request, and its mirror, how a result becomes a status),
 * {@link dev.sluice.virtio.blk.VirtioBlkQueue} (from chains that become available to chains that are used) with its parts in the order in which a request
 * passes them: {@code RequestIntake}, {@code RequestPool}, the {@code RequestIovecs} of each request, {@code CompletedRequests} and {@code QueueInterrupts}.
 * {@code Ablation} exchanges some of them to measure what they are worth. Which transport brings the rings and the guest's memory is not known here.
 */
@NullMarked
package dev.sluice.virtio.blk;

import org.jspecify.annotations.NullMarked;
