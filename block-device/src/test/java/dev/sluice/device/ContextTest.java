package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.testing.XorStage;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The Reactor context of a caller, through which observations and traces flow, reaches every stage of its request, and sub-requests with it. */
class ContextTest {
    private static final String KEY = "trace";

    private final List<String> seen = new ArrayList<>();

    private Mono<BlockResult> noting(String stage, Mono<BlockResult> rest) {
        return Mono.deferContextual(context -> {
            seen.add(stage + " " + context.getOrDefault(KEY, "none"));
            return rest;
        });
    }

    private final BlockStage passes = (request, chain) -> noting("passes", chain.proceed(request));

    private final BlockStage adds =
            (request, chain) -> noting("adds", chain.proceed(request)).contextWrite(context -> context.put(KEY, context.getOrDefault(KEY, "") + "+"));

    private final BlockStage copies = (request, chain) -> noting("copies", chain.useBuffer(512, buffer -> noting("buffer", chain.proceed(request, buffer))));

    private final BlockStage below = (request, chain) -> noting("below", chain.proceed(request));

    @Test
    void shouldReachStagesAndWhatTheySendDown() {
        BlockDeviceOptions.Builder options = BlockDeviceOptions.builder().pipeline(builder -> builder.stage(passes).stage(adds).stage(copies).stage(below));
        try (DeviceRig rig = new DeviceRig(options)) {
            ByteBuffer memory = ByteBuffer.allocateDirect(512);
            rig.run(rig.device.read(0, memory).contextWrite(context -> context.put(KEY, "a"))).assertValue(512);
            assertThat(seen).containsExactly("passes a", "adds a+", "copies a+", "buffer a+", "below a+");
            seen.clear();
            rig.run(rig.device.flush().contextWrite(context -> context.put(KEY, "b")).then(Mono.deferContextual(context -> Mono.just(context.hasKey(KEY)))))
                    .assertValue(false);
            assertThat(seen).contains("passes b", "below b+");
            seen.clear();
            rig.run(rig.device.read(0, memory.clear())).assertValue(512);
            assertThat(seen).startsWith("passes none", "adds +");
            seen.clear();
            Flux<Integer> range = rig.device.readRange(0, 512).map(buffer -> {
                try (buffer) {
                    return 1;
                }
            });
            rig.run(range.then(Mono.just(1)).contextWrite(context -> context.put(KEY, "c"))).assertValue(1);
            assertThat(seen).contains("passes c", "below c+");
        }
    }

    @Test
    void shouldShowCallersTheGeometryOfTheirStages() {
        BlockDeviceOptions.Builder options =
                BlockDeviceOptions.builder().pipeline(builder -> builder.stage(new XorStage(4096, (byte) 1)));
        try (DeviceRig rig = new DeviceRig(options)) {
            long size = DeviceRig.DISK_BYTES - 4096;
            assertThat(rig.device.sizeBytes()).isEqualTo(size);
            rig.run(rig.device.read(size - 512, ByteBuffer.allocateDirect(512))).assertValue(512);
            assertThat(rig.run(rig.device.read(size, ByteBuffer.allocateDirect(512))).failure(IllegalArgumentException.class))
                    .hasMessageContaining(size + " bytes");
        }
    }
}
