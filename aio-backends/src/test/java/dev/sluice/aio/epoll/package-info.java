/** Tests of the loop on epoll. */
@NullMarked
package dev.sluice.aio.epoll;

import org.jspecify.annotations.NullMarked;
