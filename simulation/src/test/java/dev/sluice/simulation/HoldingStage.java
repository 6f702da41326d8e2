package dev.sluice.simulation;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * A stage that changes nothing: it passes requests on at once or from another thread, completes them on another thread, and holds some of them for as long as
 * it likes, also while their queue is being stopped and after that. It tries to write where a stage must not.
 */
final class HoldingStage implements BlockStage {
    private static final int VANDALISM_BYTES = 8;

    private final SplittableRandom random;
    private final Trace trace;
    private final Threads threads;
    private final Scheduler scheduler;
    private final boolean interested;

    private final List<Held> held = new ArrayList<>();

    private Faults faults;

    private record Held(BlockRequest request, Chain chain, MonoSink<BlockResult> outcome) {}

    HoldingStage(SplittableRandom random, boolean interested, Threads threads, Faults faults, Trace trace) {
        this.random = random;
        this.threads = threads;
        this.trace = trace;
        this.faults = faults;
        this.scheduler = Schedulers.fromExecutor(task -> {
            Thread _ = threads.start(task);
        });
        this.interested = interested;
    }

    void faults(Faults chosen) {
        faults = chosen;
    }

    @Override
    public boolean interestedIn(BlockRequest request) {
        return sees(request.sector());
    }

    boolean sees(long sector) {
        return interested && sector % 3 != 1;
    }

    @Override
    public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
        vandalize(request);
        if (Faults.happens(random, faults.hold())) {
            trace.add("the stage holds " + request.op() + " " + request.sector() + " of queue " + request.queueIndex());
            return Mono.create(outcome -> held.add(new Held(request, chain, outcome)));
        }
        return switch (random.nextInt(4)) {
            case 0 -> chain.proceed(request).publishOn(scheduler);
            case 1 -> Mono.defer(() -> chain.proceed(request)).subscribeOn(scheduler);
            case 2 -> chain.proceed(request).doOnNext(_ -> copyOver(request)).publishOn(scheduler);
            default -> chain.proceed(request);
        };
    }

    private static boolean isOver(BlockRequest request) {
        try {
            request.copyDataTo(0, new byte[0], 0, 0);
            return false;
        } catch (IllegalStateException over) {
            return true;
        }
    }

    private static void vandalize(BlockRequest request) {
        if (request.op() == BlockOp.WRITE) {
            try {
                request.copyDataFrom(0, new byte[VANDALISM_BYTES], 0, VANDALISM_BYTES);
            } catch (UnsupportedOperationException refused) {
                // As it has to be; where it is not, the guest's memory has changed.
            }
        }
    }

    /** What a stage that decrypts does, with a cipher that changes nothing. */
    private static void copyOver(BlockRequest request) {
        if (request.op() == BlockOp.READ) {
            byte[] data = new byte[(int) request.dataBytes()];
            request.copyDataTo(0, data, 0, data.length);
            request.copyDataFrom(0, data, 0, data.length);
        }
    }

    int held() {
        return held.size();
    }

    /** Lets one of the requests go, in time or too late. */
    void releaseOne() {
        if (held.isEmpty()) {
            return;
        }
        Held released = held.remove(random.nextInt(held.size()));
        boolean late = isOver(released.request);
        trace.add("the stage releases " + released.request.op() + " " + released.request.sector() + (late ? ", too late" : ""));
        Thread _ = threads.start(() -> {
            if (late) {
                released.outcome.error(new CancellationException("too late"));
            } else {
                released.chain.proceed(released.request).subscribe(released.outcome::success, released.outcome::error);
            }
        });
    }
}
