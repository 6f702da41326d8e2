package dev.sluice.server.disk;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.metrics.MetricsSnapshot;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.virtio.vhostuser.VhostUserServer.RingSnapshot;
import dev.sluice.virtio.vhostuser.VhostUserServer.State;
import java.util.List;
import java.util.function.Supplier;

/** The page {@code /devices}: the disks, their front ends and their totals. Any thread. */
final class DevicesPage implements Supplier<byte[]> {
    private final Supplier<List<Disk>> disks;
    private final ObjectMapper json = new ObjectMapper();

    DevicesPage(Supplier<List<Disk>> disks) {
        this.disks = disks;
    }

    @Override
    public byte[] get() {
        ObjectNode page = json.createObjectNode();
        ArrayNode devices = page.putArray("devices");
        disks.get().forEach(disk -> describe(disk, devices.addObject()));
        try {
            return json.writerWithDefaultPrettyPrinter().writeValueAsBytes(page);
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static void describe(Disk disk, ObjectNode into) {
        DiskSpec spec = disk.spec();
        State state = disk.deviceState();
        BlockGeometry geometry = disk.pipeline().geometry();
        into.put("name", spec.name())
                .put("image", spec.image().toString())
                .put("endpoint", state.address())
                .put("backend", disk.backendName())
                .put("pipeline", disk.pipeline().toString())
                .put("serial", spec.serial())
                .put("sizeBytes", geometry.sizeBytes())
                .put("logicalBlockBytes", geometry.logicalBlockBytes())
                .put("readOnly", geometry.readOnly())
                .put("numQueues", spec.queues())
                .put("needsReset", state.needsReset());
        if (state.connected()) {
            into.putObject("frontEnd").put("pid", state.peerPid()).put("uid", Integer.toUnsignedLong(state.peerUid()));
        } else {
            into.putNull("frontEnd");
        }
        ObjectNode features = into.putObject("features");
        list(features, "offered", FeatureNames.VIRTIO.names(state.offeredFeatures()));
        list(features, "negotiated", FeatureNames.VIRTIO.names(state.acceptedFeatures()));
        list(features, "protocol", FeatureNames.PROTOCOL.names(state.protocolFeatures()));
        MetricsSnapshot totals = disk.metrics().snapshot();
        into.putObject("totals")
                .put("requests", totals.requests())
                .put("bytes", totals.bytes())
                .put("errors", totals.errors())
                .put("inFlight", disk.metrics().inFlight());
        ArrayNode queues = into.putArray("queues");
        for (RingSnapshot ring : state.rings()) {
            queues.addObject()
                    .put("index", ring.index())
                    .put("state", ring.state().name())
                    .put("size", ring.size())
                    .put("loop", ring.loopName())
                    .put("broken", ring.broken());
        }
    }

    private static void list(ObjectNode into, String field, List<String> values) {
        ArrayNode array = into.putArray(field);
        values.forEach(array::add);
    }
}
