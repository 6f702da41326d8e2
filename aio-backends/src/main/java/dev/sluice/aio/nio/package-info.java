/**
 * Block I/O with nothing but the JDK: positional {@link java.nio.channels.FileChannel} calls on a bounded number of threads, for machines that have neither
 * io_uring nor Linux AIO, and for people who write stages on another system than Linux. Refers to no class of {@code dev.sluice.linux} or of Netty.
 *
 * <p>What it lacks beside the other backends: a system call and two changes of thread a request, so that it costs several times their CPU; no DISCARD;
 * zeroes are written, never punched; O_DIRECT only where the JDK has it ({@code com.sun.nio.file.ExtendedOpenOption.DIRECT}) and only for requests that
 * are aligned to the file store's block, the others go through the page cache; a lock that keeps other processes off, but no second opening for reading in
 * the same process; kernel errors known by their English text alone, EIO for all others.
 *
 * <p>Reading order: {@link dev.sluice.aio.nio.NioBackendProvider}, {@code NioImage} (an opened image), {@code NioBackend}, {@code NioSink} (the loop's side),
 * {@code NioOperation} (a request on a thread), {@code FileErrors}; {@code ThreadLoop}, a loop that needs no kernel facility.
 */
@NullMarked
package dev.sluice.aio.nio;

import org.jspecify.annotations.NullMarked;
