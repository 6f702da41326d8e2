/**
 * Linux through java.lang.foreign: the only package with method handles into libc and raw addresses, for the loops and
 * adapters of Sluice. Methods are typed, take descriptors and addresses as numbers and return a value or a negative
 * errno; set-up methods throw {@link dev.sluice.linux.ErrnoException} instead. No upcalls, no critical calls,
 * no allocation in a call of the data path.
 *
 * <p>Reading order: {@link dev.sluice.linux.LinuxPlatform}, {@code Libc} (how a call is made),
 * {@link dev.sluice.linux.NativeMemory}, {@link dev.sluice.linux.Fd}, {@link dev.sluice.linux.Mapping},
 * {@link dev.sluice.linux.LinuxFile}, then {@link dev.sluice.linux.EventFd}, {@link dev.sluice.linux.PollSet},
 * {@link dev.sluice.linux.UnixSocket} and {@link dev.sluice.linux.LinuxAio} as needed.
 * Classes documented as "layout only" hold the offsets of one C structure, each checked by {@code LayoutTest}.
 */
@NullMarked
package dev.sluice.linux;

import org.jspecify.annotations.NullMarked;
