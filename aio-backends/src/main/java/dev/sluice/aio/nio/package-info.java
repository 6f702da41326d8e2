/**
 * Block I/O with nothing but the JDK: positional {@link java.nio.channels.FileChannel} calls on a bounded number of threads, for machines that have neither
 * io_uring nor Linux AIO, and for people who write stages on another system than Linux. Refers to no class of {@code dev.sluice.linux} or of Netty.
 *
 * <p>What it lacks beside the other backends: a system call and two changes of thread a request, so that it costs several times their CPU; no DISCARD;
 * zeroes are written, never punched; O_DIRECT only where the JDK has it ({@code com.sun.nio.file.ExtendedOpenOption.DIRECT}) and only for requests that
 * are aligned to the file store's block, the others go through the page cache; a lock that keeps other processes off, but is the process's (POSIX knows no
 * other): the image cannot be opened a second time in it, not even for reading and not with another backend, and anything else in the process that opens
 * and closes the file, as {@code Files.readAllBytes} does, drops the lock unseen, which nothing here can help; kernel errors known by their English text alone,
 * EIO for all others.
 *
 * <p>Reading order: {@link dev.sluice.aio.nio.NioBackendProvider}, {@code NioImage} (an opened image), {@code OpenImages} (those of the process), {@code
 * NioBackend}, {@code NioSink} (the loop's side), {@code NioOperation} (a request on a thread), {@code FileErrors}; {@code ThreadLoop}, a loop that needs no
 * kernel facility.
 */
@NullMarked
package dev.sluice.aio.nio;

import org.jspecify.annotations.NullMarked;
