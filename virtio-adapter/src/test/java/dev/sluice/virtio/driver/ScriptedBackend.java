package dev.sluice.virtio.driver;

import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.layout.VhostUser;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Answers messages as told, in a thread of its own, and writes down what came: no device behind it. */
final class ScriptedBackend implements AutoCloseable {
    /** A message as it came: its flags in hexadecimal, its payload as bytes, how many descriptors. */
    record Received(int request, String flags, String payload, int fds) {}

    private final List<Received> received = new ArrayList<>();
    private final UnixSocket.Pair sockets;
    private final VhostUserConnection connection;
    private final VhostUserFrontend frontend;
    private final CompletableFuture<Void> serving;

    private final long features;
    private final long protocolFeatures;
    private int refusedRequest;
    private int replyFlags = VhostUser.VERSION | VhostUser.FLAG_REPLY;

    ScriptedBackend(long features, long protocolFeatures) throws IOException {
        this(features, protocolFeatures, Duration.ofSeconds(Patience.seconds(20)));
    }

    /** With the time that its front end waits for an answer. */
    ScriptedBackend(long features, long protocolFeatures, Duration patience) throws IOException {
        this.features = features;
        this.protocolFeatures = protocolFeatures;
        this.sockets = UnixSocket.pair();
        this.connection = new VhostUserConnection(sockets.second(), Duration.ofSeconds(Patience.seconds(10)));
        this.frontend = new VhostUserFrontend(new VhostUserConnection(sockets.first(), patience));
        this.serving = CompletableFuture.runAsync(this::serve);
    }

    VhostUserFrontend frontend() {
        return frontend;
    }

    /** Answers this request's NEED_REPLY with 1. */
    void refuse(int request) {
        refusedRequest = request;
    }

    /** Sends other flags with each answer. */
    void replyWithFlags(int flags) {
        replyFlags = flags;
    }

    /** What came until the front end closed. */
    List<Received> received() {
        frontend.close();
        serving.join();
        return received;
    }

    List<Integer> requests() {
        return received().stream().map(Received::request).toList();
    }

    private void serve() {
        try {
            while (true) {
                try (VhostUserMessage message = connection.receive()) {
                    received.add(new Received(
                            message.request(),
                            Integer.toHexString(message.flags()),
                            HexFormat.of().formatHex(message.payload().toArray(ValueLayout.JAVA_BYTE)),
                            message.fds().size()));
                    answer(message);
                }
            }
        } catch (EOFException | BackendViolationException e) {
            // The front end has closed, or sent what no backend accepts.
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            connection.close();
        }
    }

    private void answer(VhostUserMessage message) throws IOException {
        switch (message.request()) {
            case VhostUser.GET_FEATURES -> number(message, features);
            case VhostUser.GET_PROTOCOL_FEATURES -> number(message, protocolFeatures);
            case VhostUser.GET_QUEUE_NUM -> number(message, 4);
            case VhostUser.GET_MAX_MEM_SLOTS -> number(message, 32);
            case VhostUser.GET_CONFIG -> reply(message, message.payload());
            case VhostUser.GET_VRING_BASE -> {
                MemorySegment state = MemorySegment.ofArray(new byte[8]);
                VhostUser.u32(state, 0, VhostUser.u32(message.payload(), 0));
                VhostUser.u32(state, 4, 40 + VhostUser.u32(message.payload(), 0));
                reply(message, state);
            }
            default -> {
                if ((message.flags() & VhostUser.FLAG_NEED_REPLY) != 0) {
                    number(message, message.request() == refusedRequest ? 1 : 0);
                }
            }
        }
    }

    private void number(VhostUserMessage message, long value) throws IOException {
        MemorySegment payload = MemorySegment.ofArray(new byte[8]);
        VhostUser.u64(payload, 0, value);
        reply(message, payload);
    }

    private void reply(VhostUserMessage message, MemorySegment payload) throws IOException {
        connection.send(message.request(), replyFlags, payload);
    }

    @Override
    public void close() {
        frontend.close();
        serving.join();
    }
}
