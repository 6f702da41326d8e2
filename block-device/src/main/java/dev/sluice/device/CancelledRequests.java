package dev.sluice.device;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * The requests that were cancelled and still use memory: the kernel or a stage has them, or their data is being copied to the memory of the
 * program.
 *
 * <p><b>Threading:</b> any. A request is added before it is orphaned, so that whoever cancels it finds it here until its memory is free.
 * <b>Allocation:</b> per cancellation in flight; none for a request that is not cancelled.
 */
final class CancelledRequests {
    private final ConcurrentHashMap<DeviceIo, CompletableFuture<@Nullable Void>> usingMemory = new ConcurrentHashMap<>();

    void add(DeviceIo io) {
        usingMemory.putIfAbsent(io, new CompletableFuture<>());
    }

    void remove(DeviceIo io) {
        CompletableFuture<@Nullable Void> released = usingMemory.remove(io);
        if (released != null) {
            released.complete(null);
        }
    }

    /** Completes when none of the requests present at the subscription uses any of a buffer's memory. */
    Mono<Void> released(ByteBuffer memory) {
        return Mono.defer(() -> {
            MemorySegment whole = Scopes.whole(memory);
            List<CompletableFuture<@Nullable Void>> left = new ArrayList<>();
            usingMemory.forEach((io, released) -> {
                if (io.uses(whole)) {
                    left.add(released);
                }
            });
            return left.isEmpty() ? Mono.empty() : Mono.fromFuture(CompletableFuture.allOf(left.toArray(CompletableFuture[]::new)), true);
        });
    }
}
