/**
 * The protocol between a service and its manager: {@link dev.sluice.server.systemd.ActivatedSockets} (sd_listen_fds(3)) and
 * {@link dev.sluice.server.systemd.ServiceNotifier} (sd_notify(3)). Without a manager both do nothing.
 */
@NullMarked
package dev.sluice.server.systemd;

import org.jspecify.annotations.NullMarked;
