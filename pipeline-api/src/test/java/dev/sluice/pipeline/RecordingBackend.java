package dev.sluice.pipeline;

import dev.sluice.pipeline.testing.SimulatedBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** A simulated backend whose sinks remember what they are called with; a test may take a submission's place. */
final class RecordingBackend implements BlockBackend {
    final List<String> calls = new ArrayList<>();
    final SimulatedBackend backend;

    /** What a sink does with a request; false where it shall go on as usual. */
    Predicate<BlockRequest> instead = request -> false;

    RecordingBackend(SimulatedBackend backend) {
        this.backend = backend;
    }

    @Override
    public String name() {
        return "recording";
    }

    @Override
    public BlockGeometry geometry() {
        return backend.geometry();
    }

    @Override
    public BackendHealth health() {
        return new BackendHealth(true, 4096);
    }

    @Override
    public BlockSink openSink(IoLoop loop) {
        calls.add("open on " + loop.name());
        BlockSink sink = backend.openSink(loop);
        return new BlockSink() {
            @Override
            public boolean submit(BlockRequest request) {
                return instead.test(request) || sink.submit(request);
            }

            @Override
            public void flush() {
                calls.add("flush");
                sink.flush();
            }

            @Override
            public boolean registerBuffers(long address, long bytes) {
                calls.add("register " + address + " " + bytes);
                return bytes > 512;
            }

            @Override
            public void unregisterBuffers(long address) {
                calls.add("unregister " + address);
            }

            @Override
            public int capacity() {
                return sink.capacity();
            }

            @Override
            public int inFlight() {
                return sink.inFlight();
            }

            @Override
            public SinkCounters counters() {
                return new SinkCounters(1, 2, 3, 4, 5);
            }

            @Override
            public void close() {
                calls.add("close");
                sink.close();
            }
        };
    }

    @Override
    public void close() {
        backend.close();
    }
}
