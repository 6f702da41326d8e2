/**
 * What all loops have in common: the order of a tick, the mailbox, timers, turns and hooks. Knows no kernel interface; a kind of loop
 * says how it waits.
 *
 * <p>Reading order: {@link dev.sluice.aio.loop.TickLoop} (the tick), {@link dev.sluice.aio.loop.LoopHandle} (how a completion comes back),
 * {@link dev.sluice.aio.loop.LoopWait}; then {@code Mailbox}, {@code Timers}, {@code TurnList}, {@code TickEndHooks}.
 *
 * <p><b>Internal:</b> public for the other packages of Sluice alone. It may change in any release, and the Javadoc of all libraries leaves it out.
 */
@NullMarked
package dev.sluice.aio.loop;

import org.jspecify.annotations.NullMarked;
