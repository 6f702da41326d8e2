package dev.sluice.examples.springboot;

import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.io.IOException;
import java.util.List;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.DependsOn;

/**
 * The parts of a disk as beans. Spring closes each before those that it depends on, which is the order that they need: no more requests, nothing in flight, the
 * thread, the image.
 */
@Configuration(proxyBeanMethods = false)
class DiskConfiguration {
    private static final int QUEUES = 2;

    @Bean
    BlockBackend image(DiskProperties disk) throws IOException {
        LinuxPlatform.ensureAvailable();
        return new IoUringBackendProvider().open(BackendOptions.of(disk.image()));
    }

    @Bean
    @DependsOn("image")
    IoLoop loop() throws IOException {
        return IoUringLoop.start("disk", IoUringLoopOptions.DEFAULT);
    }

    /** A {@code MeterBinder}: Boot binds it to its registry, and the actuator shows its meters. */
    @Bean
    SluiceMetrics diskMetrics() {
        return new SluiceMetrics("disk", QUEUES);
    }

    @Bean
    @DependsOn("loop")
    BlockPipeline pipeline(BlockBackend image, SluiceMetrics diskMetrics) {
        return BlockPipeline.builder().backend(image).observer(diskMetrics).build();
    }

    @Bean(initMethod = "start")
    VhostUserServer server(DiskProperties disk, BlockPipeline pipeline, IoLoop loop) {
        return VhostUserServer.builder().socketPath(disk.socket()).pipeline(pipeline).loops(List.of(loop)).numQueues(QUEUES).build();
    }

    /** The same disk for the application itself. */
    @Bean
    BlockDevice device(BlockPipeline pipeline, IoLoop loop) {
        return BlockDevice.open(pipeline, List.of(loop), BlockDeviceOptions.defaults());
    }
}
