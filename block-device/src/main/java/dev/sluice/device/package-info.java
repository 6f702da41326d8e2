/**
 * Block I/O for Java programs that have no guest: the machinery of a virtqueue, fed by a program.
 *
 * <p>A read or a write becomes a {@code DeviceIo} when its {@code Mono} is subscribed to, crosses into a loop through a ring, and from there on is
 * a request of a queue like any other: source, operators, stages, bypass, sink and observer are those of
 * {@link dev.sluice.pipeline.BlockPipeline}.
 *
 * <p>Reading order: {@link dev.sluice.device.BlockDevice} (what a program calls), {@link dev.sluice.device.BlockDeviceOptions};
 * {@code TransferMono} and {@code ControlMono} (a call before anybody subscribes), {@code DeviceIo} and {@code SubscribedIo} (one call in
 * flight), {@code SubmissionRing}, {@code DeviceQueue}, {@code DeviceRequest} (into the loop and back); {@link dev.sluice.device.BlockBuffer},
 * {@link dev.sluice.device.BlockBufferPool}; {@code Scopes}, {@code CopiedTransfer} (memory that can be freed at any time) and {@code CancelledRequests}
 * (memory of cancelled requests); {@code RangeRead}, {@code RangeWrite}; {@code ByteAccess} and the asynchronous channel; {@code BlockingCall},
 * {@code BlockingIo} and the blocking channel; {@code Resources} and {@code Closing} (opening and closing). {@code Limits} validates arguments;
 * {@code Pool}, {@code PendingTasks}, {@code TakeMono} and {@code AsyncSemaphore} let calls wait in line without a thread, {@code BlockingTake} and
 * {@code Room} let threads wait; {@code Signals} signals to subscribers that may throw.
 */
@NullMarked
package dev.sluice.device;

import org.jspecify.annotations.NullMarked;
