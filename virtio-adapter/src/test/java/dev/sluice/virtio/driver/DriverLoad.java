package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * How many 4 KiB reads a second one driver thread gets out of a backend, and what each costs the thread. No part of
 * verify:
 *
 * <pre>
 * qemu-storage-daemon --blockdev driver=null-co,node-name=f0,size=2147483648 --object iothread,id=io0 --export \
 *   type=vhost-user-blk,id=e0,node-name=f0,addr.type=unix,addr.path=/tmp/v.sock,num-queues=1,writable=on,iothread=io0 &amp;
 * java --enable-native-access=ALL-UNNAMED -cp ... dev.sluice.virtio.driver.DriverLoad /tmp/v.sock poll 1 64 5
 * </pre>
 *
 * Without a socket ({@code -}) the device side is a loop in the same thread that does nothing but use what is available, so
 * that the figure is the driver's own cost and that loop's.
 */
final class DriverLoad implements CompletionHandler {
    private static final int BLOCK_BYTES = 4096;

    private final SplittableRandom random = new SplittableRandom(1);
    private final long blocks;
    private long completed;
    private long failed;

    private DriverLoad(long blocks) {
        this.blocks = blocks;
    }

    @Override
    public void completed(int slot, int status, int writtenBytes) {
        completed++;
        if (status != BlkRequest.S_OK) {
            failed++;
        }
    }

    public static void main(String[] args) throws IOException {
        boolean polling = args[1].equals("poll");
        int queues = Integer.parseInt(args[2]);
        int depth = Integer.parseInt(args[3]);
        int seconds = Integer.parseInt(args[4]);
        long without = args.length > 5 ? switch (args[5]) {
            case "direct" -> VirtioFeatures.INDIRECT_DESC;
            case "noevent" -> VirtioFeatures.EVENT_IDX;
            default -> 0;
        } : 0;
        if (args[0].equals("-")) {
            loopback(depth, seconds, without);
            return;
        }
        BlockDriverOptions options = BlockDriverOptions.defaults()
                .withQueues(queues)
                .withShape(QueueShape.of(256, depth, BLOCK_BYTES))
                .withoutFeatures(without);
        try (BlockDriver driver = BlockDriver.open(args[0], options);
                CallSet calls = new CallSet(driver.queues().toArray(DriverQueue[]::new))) {
            for (int second = 0; second < seconds; second++) {
                new DriverLoad(driver.config().capacityBytes() / BLOCK_BYTES).run(driver, polling ? null : calls);
            }
        }
    }

    private void run(BlockDriver driver, @Nullable CallSet calls) {
        DriverQueue[] queues = driver.queues().toArray(DriverQueue[]::new);
        long kicks = 0;
        long called = 0;
        for (DriverQueue queue : queues) {
            fill(queue);
            kicks -= queue.kicks();
            called -= queue.calls();
        }
        long heap = allocatedBytes();
        long cpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        long start = System.nanoTime();
        long batches = 0;
        do {
            for (int spin = 0; spin < 256; spin++) {
                int reaped = 0;
                for (DriverQueue queue : queues) {
                    int n = queue.poll(this);
                    if (n > 0) {
                        fill(queue);
                        reaped += n;
                        batches++;
                    }
                }
                if (reaped == 0) {
                    if (calls != null) {
                        boolean _ = calls.await(1000);
                    } else {
                        Thread.onSpinWait();
                    }
                }
            }
        } while (System.nanoTime() - start < 1_000_000_000L);
        long nanos = System.nanoTime() - start;
        cpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - cpu;
        heap = allocatedBytes() - heap;
        for (DriverQueue queue : queues) {
            kicks += queue.kicks();
            called += queue.calls();
        }
        System.out.printf(
                "%,.0f kIOPS, driver CPU %.0f ns, heap %.2f B, batch %.1f, kicks %.4f, calls %.4f a request, %d failed%n",
                completed * 1e6 / nanos,
                (double) cpu / completed,
                (double) heap / completed,
                (double) completed / batches,
                (double) kicks / completed,
                (double) called / completed,
                failed);
    }

    private void fill(DriverQueue queue) {
        while (queue.submit(BlkRequest.T_IN, random.nextLong(blocks) * (BLOCK_BYTES / 512), BLOCK_BYTES) >= 0) {}
        boolean _ = queue.publish();
    }

    private static long allocatedBytes() {
        return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }

    private static void loopback(int depth, int seconds, long without) throws IOException {
        QueueShape shape = QueueShape.of(256, depth, BLOCK_BYTES);
        long features = DeviceSession.SUPPORTED_FEATURES & ~without;
        try (DriverMemory memory = DriverMemory.ofOneRegion(shape.memoryBytes());
                DriverQueue queue = DriverQueue.create(0, shape, features, memory.regions().getFirst())) {
            IdleDevice device = new IdleDevice(queue.splitRing());
            for (int second = 0; second < seconds; second++) {
                DriverLoad load = new DriverLoad(1 << 19);
                long start = System.nanoTime();
                long cpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
                do {
                    for (int i = 0; i < 256; i++) {
                        load.fill(queue);
                        device.useAll();
                        int _ = queue.poll(load);
                    }
                } while (System.nanoTime() - start < 1_000_000_000L);
                cpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - cpu;
                System.out.printf(
                        "%.1f ns of CPU a request, driver and idle device in one thread%n", (double) cpu / load.completed);
            }
        }
    }
}
