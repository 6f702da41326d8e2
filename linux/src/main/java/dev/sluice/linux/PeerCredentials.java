package dev.sluice.linux;

/**
 * The process at the other end of a Unix socket, as the kernel recorded it at connect or socketpair. Immutable.
 * Source: unix(7), SO_PEERCRED.
 *
 * @param pid 0 if the peer is in a pid namespace that is not visible here
 */
public record PeerCredentials(int pid, int uid, int gid) {}
