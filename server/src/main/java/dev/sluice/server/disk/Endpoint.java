package dev.sluice.server.disk;

import dev.sluice.linux.Fd;
import dev.sluice.server.systemd.ActivatedSockets;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import dev.sluice.virtio.vhostuser.VhostUserServerBuilder;
import java.io.IOException;
import java.nio.file.Path;

/** Where front ends reach a disk. Immutable. */
public sealed interface Endpoint {

    /** A Unix socket that the server creates at this path. */
    record SocketPath(Path path) implements Endpoint {
        @Override
        public String toString() {
            return path.toString();
        }
    }

    /** A descriptor that this process has inherited, connected or listening. */
    record Descriptor(int number) implements Endpoint {
        @Override
        public String toString() {
            return "fd " + number;
        }
    }

    /** A socket that the service manager listens on for this process, by its name there. */
    record Activated(String name) implements Endpoint {
        @Override
        public String toString() {
            return "the service manager's socket " + name;
        }
    }

    /**
     * Creates a server for this endpoint. If that fails, nothing is left open.
     *
     * @throws IOException if the service manager has passed no such socket
     * @throws IllegalArgumentException if a setting of the server is out of range; the message names the value and its bounds
     */
    default VhostUserServer build(VhostUserServerBuilder server, ActivatedSockets sockets) throws IOException {
        return switch (this) {
            case SocketPath(Path path) -> server.socketPath(path).build();
            case Descriptor(int number) -> server.fd(number).build();
            case Activated(String name) -> {
                Fd duplicate = sockets.duplicate(name);
                try {
                    VhostUserServer built = server.fd(duplicate.number()).build();
                    int _ = duplicate.release();
                    yield built;
                } finally {
                    duplicate.close();
                }
            }
        };
    }
}
