/**
 * The loop on epoll: the only package that sees Netty's epoll classes.
 *
 * <p>Reading order: {@link dev.sluice.aio.epoll.EpollLoop}, {@code EpollWatch}.
 */
@NullMarked
package dev.sluice.aio.epoll;

import org.jspecify.annotations.NullMarked;
