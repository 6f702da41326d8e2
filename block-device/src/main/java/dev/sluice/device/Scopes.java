package dev.sluice.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Whether memory can be freed while a request uses it.
 *
 * <p>Memory of {@code allocateDirect}, of a mapping, of {@link Arena#ofAuto} and of {@link Arena#global} lives for as long as its buffer is reachable, and a
 * request keeps its buffers reachable. Memory of any other arena ends when somebody closes that. The JDK distinguishes the two by the class of the scope. It
 * has no public name for that class, nor a public way to hold a scope during an asynchronous operation. So a scope counts as lasting if its class is that
 * of such a buffer created here, and not that of an arena which can be closed. If a JDK used one class for both, all memory would be copied.
 *
 * <p><b>Threading:</b> any. <b>Allocation:</b> none for a buffer that is used repeatedly, as some of those are remembered; else what the JDK allocates to
 * return a scope (32 bytes).
 */
final class Scopes {
    private static final @Nullable Class<?> DIRECT;
    private static final @Nullable Class<?> AUTO;
    private static final @Nullable Class<?> GLOBAL;

    /** A thread other than those which use memory. */
    private static final Thread OTHER = Thread.ofVirtual().unstarted(() -> {});

    static {
        try (Arena confined = Arena.ofConfined();
                Arena shared = Arena.ofShared()) {
            Class<?> ofConfined = confined.scope().getClass();
            Class<?> ofShared = shared.scope().getClass();
            DIRECT = unless(scopeOf(ByteBuffer.allocateDirect(1)), ofConfined, ofShared);
            AUTO = unless(Arena.ofAuto().scope().getClass(), ofConfined, ofShared);
            GLOBAL = unless(Arena.global().scope().getClass(), ofConfined, ofShared);
        }
    }

    private static final int KNOWN_LASTING = 1024;
    private static final int MISSES_PER_CHANGE = 16;

    /** Buffers that were found to last, by identity; a view is a different buffer. References none of them strongly. */
    private static final AtomicReferenceArray<@Nullable WeakReference<ByteBuffer>> LASTING = new AtomicReferenceArray<>(KNOWN_LASTING);

    /** Approximate, which suffices. */
    private static int misses;

    private Scopes() {}

    private static @Nullable Class<?> unless(Class<?> lasting, Class<?> ofConfined, Class<?> ofShared) {
        return lasting == ofConfined || lasting == ofShared ? null : lasting;
    }

    private static Class<?> scopeOf(ByteBuffer buffer) {
        return MemorySegment.ofBuffer(buffer).scope().getClass();
    }

    /** True if nobody can free the memory while the buffer is reachable. */
    static boolean lasts(ByteBuffer buffer) {
        int place = System.identityHashCode(buffer) & (KNOWN_LASTING - 1);
        WeakReference<ByteBuffer> known = LASTING.getAcquire(place);
        if (known != null && known.refersTo(buffer)) {
            return true;
        }
        Class<?> scope = scopeOf(buffer);
        if (scope != DIRECT && scope != GLOBAL && scope != AUTO) {
            return false;
        }
        remember(place, known, buffer);
        return true;
    }

    /** An occupied place is rarely replaced: programs that create a buffer for each request must not pay for a reference each. */
    private static void remember(int place, @Nullable WeakReference<ByteBuffer> known, ByteBuffer buffer) {
        if (known == null || (misses++ & MISSES_PER_CHANGE - 1) == 0) {
            LASTING.setRelease(place, new WeakReference<>(buffer));
        }
    }

    /**
     * Throws what {@link java.nio.channels.FileChannel} throws for memory that the calling thread must not use.
     *
     * @throws IllegalStateException if its arena has been closed
     * @throws WrongThreadException if its arena is confined to another thread
     */
    static void check(ByteBuffer buffer) {
        if (buffer.isDirect() && buffer.hasRemaining()) {
            byte _ = buffer.get(buffer.position());
        }
    }

    /**
     * For requests that complete on another thread than the calling one; after {@link #check}.
     *
     * @throws WrongThreadException if the memory's arena is confined
     */
    static void checkShared(ByteBuffer buffer) {
        if (buffer.isDirect() && !MemorySegment.ofBuffer(buffer).isAccessibleBy(OTHER)) {
            throw new WrongThreadException("memory of a confined arena, which the thread that completes the request must not use: use channel(),"
                    + " Arena.ofShared(), ByteBuffer.allocateDirect or BlockDevice.buffers()");
        }
    }

    /** All of a buffer's memory, whatever its position and limit; for {@link MemorySegment#asOverlappingSlice}. */
    static MemorySegment whole(ByteBuffer buffer) {
        return MemorySegment.ofBuffer(buffer.duplicate().clear());
    }
}
