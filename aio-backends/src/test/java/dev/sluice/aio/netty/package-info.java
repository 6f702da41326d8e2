/** Tests of channels on loops: {@link dev.sluice.aio.netty.ChannelLoopContract}, which the test of each kind of loop that has channels extends. */
@NullMarked
package dev.sluice.aio.netty;

import org.jspecify.annotations.NullMarked;
