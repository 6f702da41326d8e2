/**
 * Images in memory (tmpfs, hugetlbfs) that are mapped: READ and WRITE are a copy between the guest's memory and the image, without a system call.
 *
 * <p>Reading order: {@link dev.sluice.aio.mapped.MappedBackendProvider}, {@code MappedImage} (what is opened, and which mapping is current), {@code
 * ImageMapping}, {@code KnownPages} (where a copy allocates nothing), {@code MappedSink} (batches and budgets), {@code MappedOperation} (a request's way),
 * {@code MappedCopy} (the copy and its faults), {@code ResidentPages}, {@code DataCursor}, {@code GuestProbe}.
 */
@NullMarked
package dev.sluice.aio.mapped;

import org.jspecify.annotations.NullMarked;
