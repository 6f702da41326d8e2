package dev.sluice.bench.device;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * The load of one round in this process: one {@link LoadSlot} per request in flight, each of which issues its next request when one has
 * completed.
 *
 * <p><b>Threading:</b> a slot is confined to one thread at a time; {@link #measure} to the thread that started the load. <b>Allocation:</b> none per request.
 */
final class DeviceLoad {
    private static final long PATIENCE_SECONDS = 60;

    private final List<LoadSlot> slots = new ArrayList<>();
    private final CountDownLatch running;
    private volatile boolean measuring;
    private volatile boolean stopping;

    DeviceLoad(DevicePlan plan, long sizeBytes) throws IOException {
        long blocks = sizeBytes / plan.blockBytes();
        if (blocks < plan.depth()) {
            throw new IOException(plan.path() + " has " + blocks + " blocks of " + plan.blockBytes() + " bytes, less than the depth of " + plan.depth()
                    + ": use a larger file or a smaller depth");
        }
        for (int i = 0; i < plan.depth(); i++) {
            slots.add(new LoadSlot(this, plan, i, blocks));
        }
        running = new CountDownLatch(plan.depth());
    }

    List<LoadSlot> slots() {
        return slots;
    }

    boolean measuring() {
        return measuring;
    }

    /** True if a slot must issue no more requests; it then calls {@link #slotEnded}. */
    boolean stopping() {
        return stopping;
    }

    void slotEnded() {
        running.countDown();
    }

    /**
     * Waits through warm-up and measurement and stops the load.
     *
     * @throws IOException if it does not stop
     */
    DeviceFigures measure(DevicePlan plan) throws IOException, InterruptedException {
        pause(plan.warmUpSeconds());
        long startNanos = System.nanoTime();
        long startCpu = cpuNanos();
        long startHeap = heapBytes();
        measuring = true;
        pause(plan.seconds());
        measuring = false;
        double seconds = (System.nanoTime() - startNanos) / 1e9;
        long cpu = cpuNanos() - startCpu;
        long heap = heapBytes() - startHeap;
        stopping = true;
        if (!running.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new IOException(plan.path() + ": requests did not complete within " + PATIENCE_SECONDS + " s");
        }
        return figures(seconds, cpu, heap);
    }

    private DeviceFigures figures(double seconds, long cpuNanos, long heapBytes) {
        Histogram all = LoadSlot.newHistogram();
        long errors = 0;
        for (LoadSlot slot : slots) {
            all.add(slot.latencies());
            errors += slot.errors();
        }
        long requests = all.getTotalCount();
        return new DeviceFigures(
                requests,
                requests / seconds,
                cpuNanos / 1e3 / requests,
                all.getValueAtPercentile(50) / 1e3,
                all.getValueAtPercentile(99) / 1e3,
                all.getValueAtPercentile(99.9) / 1e3,
                (double) heapBytes / requests,
                errors);
    }

    private static void pause(double seconds) throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep((long) (seconds * 1e9));
    }

    private static long cpuNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    private static long heapBytes() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getTotalThreadAllocatedBytes();
    }
}
