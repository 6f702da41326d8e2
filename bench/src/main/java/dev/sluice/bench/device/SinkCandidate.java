package dev.sluice.bench.device;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.OnLoop;
import dev.sluice.pipeline.Providers;
import java.io.IOException;

/** The bare sink of a backend, driven by its loop's own thread: no queue, no stages, no Mono. */
final class SinkCandidate implements Candidate {
    private final Providers.Choice choice;

    SinkCandidate(Providers.Choice choice) {
        this.choice = choice;
    }

    @Override
    public String name() {
        return "sink " + choice.backend().name() + (choice.backend().name().equals(choice.loop().name()) ? "" : " on " + choice.loop().name());
    }

    @Override
    public DeviceFigures run(DevicePlan plan) throws IOException, InterruptedException {
        BackendOptions options = new BackendOptions(plan.path(), plan.readsOnly(), plan.direct(), plan.depth());
        try (BlockBackend backend = choice.open(options);
                IoLoop loop = choice.loop().start("sluice-bench")) {
            DeviceLoad load = new DeviceLoad(plan, backend.geometry().sizeBytes());
            BlockSink sink = OnLoop.call(loop, () -> backend.openSink(loop));
            try (Requests requests = new Requests(loop, sink, load, plan)) {
                loop.execute(() -> loop.requestTurn(requests));
                return load.measure(plan);
            } finally {
                OnLoop.run(loop, sink::close);
            }
        }
    }

    /** The requests of a round; those that have completed restart in the next turn. */
    private static final class Requests implements IoLoop.Turn, AutoCloseable {
        private final IoLoop loop;
        private final BlockSink sink;
        private final int blockBytes;
        private final NativeBlock memory;
        private final NativeBlock iovecs;
        private final Request[] ready;
        private final IoLoop.TickEndHook flush;
        private int readyCount;

        Requests(IoLoop loop, BlockSink sink, DeviceLoad load, DevicePlan plan) {
            this.loop = loop;
            this.sink = sink;
            this.blockBytes = plan.blockBytes();
            this.memory = NativeMemory.allocate((long) plan.depth() * blockBytes, Math.max(4096, Integer.highestOneBit(blockBytes)));
            this.iovecs = NativeMemory.allocate((long) plan.depth() * Iovec.SIZE, Iovec.SIZE);
            this.ready = new Request[plan.depth()];
            this.flush = sink::flush;
            for (LoadSlot slot : load.slots()) {
                Iovec.set(iovecs.address(), slot.index(), memory.address() + (long) slot.index() * blockBytes, blockBytes);
                ready[readyCount++] = new Request(slot, Iovec.address(iovecs.address(), slot.index()));
            }
        }

        @Override
        public boolean run() {
            boolean submitted = false;
            while (readyCount > 0) {
                Request request = ready[--readyCount];
                if (request.parse()) {
                    if (!sink.submit(request)) {
                        throw new IllegalStateException("the sink has a capacity of " + sink.capacity() + " and is full with " + sink.inFlight());
                    }
                    submitted = true;
                }
            }
            if (submitted) {
                loop.atTickEnd(flush);
            }
            return false;
        }

        @Override
        public void close() {
            memory.close();
            iovecs.close();
        }

        private final class Request extends BlockRequest {
            private final LoadSlot load;
            private final long iovec;

            Request(LoadSlot load, long iovec) {
                super(loop, 0, load.index());
                this.load = load;
                this.iovec = iovec;
            }

            boolean parse() {
                if (!load.begin()) {
                    return false;
                }
                parsed(load.reads() ? BlockOp.READ : BlockOp.WRITE, load.offsetBytes() / SECTOR_BYTES, blockBytes, iovec, 1);
                return true;
            }

            @Override
            protected void completed(int result) {
                load.ended(result);
                ready[readyCount++] = this;
                loop.requestTurn(Requests.this);
            }
        }
    }
}
