/**
 * The sink on Linux AIO (io_submit), for kernels and containers without io_uring.
 *
 * <p>Reading order: {@link dev.sluice.aio.linuxaio.LinuxAioBackendProvider}, {@code LinuxAioBackend}, {@code LinuxAioSink},
 * {@code AioContext} (submissions and completions), {@link dev.sluice.aio.sink.ThreadCalls}, {@code AioLimits}.
 */
@NullMarked
package dev.sluice.aio.linuxaio;

import org.jspecify.annotations.NullMarked;
