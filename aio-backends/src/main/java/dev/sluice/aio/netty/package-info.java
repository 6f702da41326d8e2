/**
 * Loops that wait in the kernel through a handler of Netty's transports. The transports themselves are each known to one package alone.
 *
 * <p>Reading order: {@link dev.sluice.aio.netty.NettyLoop}, {@code NettyWait}; {@link dev.sluice.aio.netty.ChannelLoop} for Netty's channels on such a loop,
 * {@code ChannelEventLoop}, {@link dev.sluice.aio.netty.ChannelHandle}.
 */
@NullMarked
package dev.sluice.aio.netty;

import org.jspecify.annotations.NullMarked;
