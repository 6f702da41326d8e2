package dev.sluice.examples.disk;

import dev.sluice.examples.systemd.ActivatedSockets;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.io.IOException;
import java.nio.file.Path;

/** Where front ends reach a disk. Immutable. */
public sealed interface Endpoint {

    /** A Unix socket that the server makes at this path. */
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
     * Tells a server where to be.
     *
     * @throws IOException where the service manager has passed no such socket
     */
    default void configure(VhostUserServer.Builder server, ActivatedSockets sockets) throws IOException {
        switch (this) {
            case SocketPath(Path path) -> server.socketPath(path);
            case Descriptor(int number) -> server.fd(number);
            case Activated(String name) -> server.fd(sockets.duplicate(name));
        }
    }
}
