package dev.sluice.aio.threads;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A queue that says beforehand whether it has room: an {@link java.util.ArrayDeque} that finds no memory to grow has forgotten what it held.
 *
 * <p><b>Threading:</b> the lock of its owner. <b>Failure:</b> only {@link #reserve} can fail, and changes nothing then. <b>Allocation:</b> where it grows.
 */
final class Ring<T> {
    private static final int FIRST_ROOM = 16;

    private @Nullable Object[] items = new @Nullable Object[FIRST_ROOM];
    private int head;
    private int size;

    /** Makes room for so many in all. */
    void reserve(int room) {
        if (room > items.length) {
            @Nullable Object[] larger = new @Nullable Object[Math.max(room, 2 * items.length)];
            int untilEnd = Math.min(size, items.length - head);
            System.arraycopy(items, head, larger, 0, untilEnd);
            System.arraycopy(items, 0, larger, untilEnd, size - untilEnd);
            items = larger;
            head = 0;
        }
    }

    /** Needs room. */
    void add(T item) {
        items[(head + size) % items.length] = item;
        size++;
    }

    /** The oldest; there must be one. */
    @SuppressWarnings("unchecked") // Only add puts them in.
    T remove() {
        T item = (T) Objects.requireNonNull(items[head]);
        items[head] = null;
        head = (head + 1) % items.length;
        size--;
        return item;
    }

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }
}
