package dev.sluice.server;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A process that listens on a Unix socket and speaks HTTP, which is not vhost-user. */
public final class HttpOnSocket implements AutoCloseable {
    private final ServerSocketChannel server;

    private HttpOnSocket(ServerSocketChannel server) {
        this.server = server;
    }

    public static HttpOnSocket start(Path socket) throws IOException {
        HttpOnSocket http = new HttpOnSocket(ServerSocketChannel.open(StandardProtocolFamily.UNIX));
        http.server.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofVirtual().start(http::serve);
        return http;
    }

    private void serve() {
        while (server.isOpen()) {
            try (SocketChannel client = server.accept()) {
                client.write(ByteBuffer.wrap("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
                // Until the other side has read it and gone.
                client.read(ByteBuffer.allocate(512));
            } catch (IOException gone) {
                // The client, or the server at the end of the test.
            }
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
