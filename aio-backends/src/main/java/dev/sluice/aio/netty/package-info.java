/**
 * Loops that wait in the kernel through a handler of Netty's transports. The transports themselves are each known to one package alone.
 *
 * <p>Reading order: {@link dev.sluice.aio.netty.NettyLoop}, {@code NettyWait}.
 */
@NullMarked
package dev.sluice.aio.netty;

import org.jspecify.annotations.NullMarked;
