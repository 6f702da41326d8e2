package dev.sluice.examples.disk;

import dev.sluice.virtio.vhostuser.VhostUserServer;
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

    /** Tells a server where to be. */
    default void configure(VhostUserServer.Builder server) {
        switch (this) {
            case SocketPath(Path path) -> server.socketPath(path);
            case Descriptor(int number) -> server.fd(number);
        }
    }
}
