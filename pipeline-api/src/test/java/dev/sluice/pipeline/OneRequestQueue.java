package dev.sluice.pipeline;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A queue with one request object, whose data and whose answers may fail as the test says. Loop thread only. */
final class OneRequestQueue implements RequestQueue {
    final BareRequest request;

    /** Results by sector. */
    final Map<Long, Integer> results = new LinkedHashMap<>();

    /** Called after each copy of data. */
    Consumer<BlockRequest> fault = copied -> {};

    /** Called when a request has been answered. */
    Consumer<BlockRequest> behindAnswer = ended -> {};

    private int inFlight;
    private @Nullable BlockOp next;
    private long sector;

    OneRequestQueue(IoLoop loop) {
        request = new BareRequest(loop, 0, 0) {
            @Override
            protected void surfaceFault() {
                fault.accept(this);
            }

            @Override
            protected void completed(int result) {
                super.completed(result);
                inFlight--;
                results.put(sector(), result);
                behindAnswer.accept(this);
            }
        };
    }

    /** What the next poll finds. */
    void submit(BlockOp op, long at) {
        next = op;
        sector = at;
    }

    @Override
    public int index() {
        return 0;
    }

    @Override
    public int size() {
        return 1;
    }

    @Override
    public int inFlight() {
        return inFlight;
    }

    @Override
    public @Nullable BlockRequest poll() {
        BlockOp op = next;
        if (op == null || inFlight > 0) {
            return null;
        }
        next = null;
        inFlight++;
        return request.parse(op, sector);
    }

    @Override
    public boolean enableKicks() {
        return next != null && inFlight == 0;
    }

    @Override
    public void disableKicks() {}
}
