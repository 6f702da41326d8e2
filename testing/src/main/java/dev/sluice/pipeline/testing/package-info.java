/**
 * Fixtures for whoever writes a stage, a sink, a queue or a loop: everything around it, in memory, driven by hand or by a
 * real thread, with seeded faults.
 *
 * <p>Reading order: {@link dev.sluice.pipeline.testing.ManualLoop} and {@link dev.sluice.pipeline.testing.PollLoop} (the
 * thread), {@link dev.sluice.pipeline.testing.TestIo}, {@link dev.sluice.pipeline.testing.TestQueue} and
 * {@link dev.sluice.pipeline.testing.TestRequest} (the guest), {@link dev.sluice.pipeline.testing.SimulatedBackend},
 * {@link dev.sluice.pipeline.testing.SimulatedSink}, {@link dev.sluice.pipeline.testing.SimulatedFaults} and
 * {@link dev.sluice.pipeline.testing.SystemCallFaults} (the disk); {@link dev.sluice.pipeline.testing.BlockSinkContract} with
 * {@link dev.sluice.pipeline.testing.TestsSink} (what every sink is held to), {@link dev.sluice.pipeline.testing.ImageSinkContract} (what one that makes system
 * calls on an image is held to besides) and {@link dev.sluice.pipeline.testing.RequestQueueContract} (what every queue is held to).
 */
@NullMarked
package dev.sluice.pipeline.testing;

import org.jspecify.annotations.NullMarked;
