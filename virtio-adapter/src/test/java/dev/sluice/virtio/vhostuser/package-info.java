/**
 * The server over real sockets: {@link dev.sluice.virtio.vhostuser.ServerFixture} first, then what a good front end sees, then what bad ones try.
 */
@NullMarked
package dev.sluice.virtio.vhostuser;

import org.jspecify.annotations.NullMarked;
