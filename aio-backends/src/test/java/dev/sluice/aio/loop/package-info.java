/** What every loop does; the tests of a kind of loop extend {@code IoLoopContract} and {@code WatchContract}. */
@NullMarked
package dev.sluice.aio.loop;

import org.jspecify.annotations.NullMarked;
