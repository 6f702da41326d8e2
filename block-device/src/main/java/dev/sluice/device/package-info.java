/**
 * Block I/O for Java programs that have no guest: the machinery of a virtqueue, fed by a program.
 *
 * <p>A read or a write becomes a {@code DeviceIo} when its {@code Mono} is asked for, crosses into a loop by a ring, and is from there on a
 * request of a queue like any other: source, operators, stages, bypass, sink and observer are those of
 * {@link dev.sluice.pipeline.BlockPipeline}.
 *
 * <p>Reading order: {@link dev.sluice.device.BlockDevice} (what a program calls), {@link dev.sluice.device.BlockDeviceOptions};
 * {@code TransferMono} and {@code ControlMono} (a call before anybody subscribes), {@code DeviceIo} and {@code SubscribedIo} (one call under
 * way), {@code SubmissionRing}, {@code DeviceQueue}, {@code DeviceRequest} (into the loop and back); {@link dev.sluice.device.BlockBuffer},
 * {@link dev.sluice.device.BlockBufferPool}; {@code Scopes}, {@code CopiedTransfer} (memory that can be taken away) and {@code CancelledRequests} (memory
 * that nobody waits for any more); {@code RangeRead}, {@code RangeWrite}; {@code ByteAccess} and the asynchronous channel; {@code BlockingCall},
 * {@code BlockingIo} and the channel that blocks; {@code Resources} and {@code Closing} (opening and closing). {@code Limits} judges arguments;
 * {@code Lender}, {@code PendingTasks}, {@code TakeMono} and {@code Permit} are how calls take turns without a thread that waits, {@code BlockingTake} and
 * {@code Room} how those do that have one; {@code Signals} is how subscribers are told that may throw.
 */
@NullMarked
package dev.sluice.device;

import org.jspecify.annotations.NullMarked;
