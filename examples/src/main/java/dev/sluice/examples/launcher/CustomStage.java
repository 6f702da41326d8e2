package dev.sluice.examples.launcher;

import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.device.BlockIoException;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.MetricsSnapshot;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.server.cli.Commands;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import reactor.core.publisher.Mono;

/**
 * A custom stage in a pipeline, {@link WriteOnce}: writes go through it, reads bypass it. The same stage serves a guest with
 * {@code sluice serve --stage write-once}.
 */
@Command(name = "custom-stage", mixinStandardHelpOptions = true, description = "A stage of your own: a disk whose blocks can be written once.")
public final class CustomStage implements Callable<Integer> {
    private static final int SECTOR_BYTES = 512;

    /** Created by picocli. */
    public CustomStage() {}

    public static void main(String[] arguments) {
        Commands.run(new CustomStage(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        LinuxPlatform.ensureAvailable();
        Path image = Files.createTempFile("sluice-write-once-", ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(1 << 20);
            drive(image);
        } finally {
            Files.delete(image);
        }
        return 0;
    }

    private static void drive(Path image) throws IOException {
        SluiceMetrics metrics = new SluiceMetrics("write-once", 1);
        try (BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(image));
                IoLoop loop = IoUringLoop.start("write-once", IoUringLoopOptions.DEFAULT);
                BlockPipeline pipeline = BlockPipeline.builder()
                        .stage(context -> new WriteOnce(context.geometry()))
                        .backend(backend)
                        .observer(metrics)
                        .build();
                BlockDevice disk = BlockDevice.open(pipeline, List.of(loop), BlockDeviceOptions.defaults())) {
            write(disk, 0, 8);
            write(disk, 8, 8);
            write(disk, 4, 8);
            write(disk, 16, 4);
            show("read", 0, 16, disk.read(0, ByteBuffer.allocateDirect(16 * SECTOR_BYTES)));
            show("flush", 0, 0, disk.flush());
        }
        MetricsSnapshot seen = metrics.snapshot();
        long bypassed = 0;
        for (BlockOp op : BlockOp.values()) {
            bypassed += seen.op(op).bypassed();
        }
        System.out.println(seen.requests() + " requests: " + (seen.requests() - bypassed) + " through the stage, " + bypassed + " bypassed it");
    }

    private static void write(BlockDevice disk, int sector, int sectors) {
        show("write", sector, sectors, disk.write((long) sector * SECTOR_BYTES, ByteBuffer.allocateDirect(sectors * SECTOR_BYTES)));
    }

    /** Waits for a request and prints its outcome. */
    private static void show(String what, int sector, int sectors, Mono<?> request) {
        BlockStatus status = request.thenReturn(BlockStatus.OK)
                .onErrorResume(BlockIoException.class, failed -> Mono.just(failed.status()))
                .blockOptional()
                .orElseThrow();
        System.out.printf(Locale.ROOT, "%-5s sectors %2d to %2d  %s%n", what, sector, sector + Math.max(0, sectors - 1), status);
    }
}
