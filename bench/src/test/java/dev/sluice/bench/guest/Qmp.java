package dev.sluice.bench.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** QEMU's machine protocol: commands, and the events that come between their results. For one thread; QEMU's end closes it. */
final class Qmp {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final SocketChannel channel;
    private final BufferedReader lines;
    private final List<String> events = new ArrayList<>();

    private Qmp(SocketChannel channel) {
        this.channel = channel;
        lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
    }

    static Qmp connect(Path socket) throws IOException {
        Qmp qmp = new Qmp(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
        qmp.read(); // the greeting
        qmp.execute("qmp_capabilities", "{}");
        return qmp;
    }

    /**
     * Executes a command.
     *
     * @param arguments a JSON object
     * @return what it returns
     * @throws AssertionError when it fails
     */
    JsonNode execute(String command, String arguments) throws IOException {
        String request = "{\"execute\": \"" + command + "\", \"arguments\": " + arguments + "}\n";
        channel.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.UTF_8)));
        System.out.println("[qmp] " + request.strip());
        while (true) {
            JsonNode message = read();
            if (message.has("error")) {
                throw new AssertionError(request.strip() + " failed: " + message.get("error"));
            }
            if (message.has("return")) {
                return message.get("return");
            }
        }
    }

    /** Waits for an event that no earlier call has returned for. */
    void awaitEvent(String name) throws IOException {
        while (!events.remove(name)) {
            read();
        }
    }

    private JsonNode read() throws IOException {
        String line = lines.readLine();
        if (line == null) {
            throw new EOFException("QEMU has closed its QMP socket");
        }
        JsonNode message = JSON.readTree(line);
        if (message.has("event")) {
            System.out.println("[qmp] " + line);
            // An event of a device has its name too: DEVICE_DELETED comes for the device and for its path.
            String device = message.path("data").path("device").asText("");
            events.add(message.get("event").asText() + (device.isEmpty() ? "" : " " + device));
        }
        return message;
    }
}
