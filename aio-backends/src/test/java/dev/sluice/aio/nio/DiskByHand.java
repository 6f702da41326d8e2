package dev.sluice.aio.nio;

import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.nio.file.Path;

/** A program that puts a disk together as the README shows it: {@link OlderNettyTest} runs it with an older Netty. */
final class DiskByHand {
    private DiskByHand() {}

    public static void main(String[] arguments) {
        try (BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(Path.of(arguments[0])));
                IoLoop loop = IoUringLoop.start("disk", IoUringLoopOptions.DEFAULT)) {
            System.out.println("a disk on " + backend.name() + " and " + loop.name());
        } catch (IOException refused) {
            System.out.println("no disk: " + refused.getMessage());
        }
    }
}
