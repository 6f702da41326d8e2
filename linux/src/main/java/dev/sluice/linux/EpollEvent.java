package dev.sluice.linux;

/**
 * {@code struct epoll_event}, as an element of a native array.
 *
 * <pre>{@code
 * struct epoll_event {
 *     uint32_t     events;
 *     epoll_data_t data;      // 64 bits; packed on x86_64, at offset 8 elsewhere
 * };
 * }</pre>
 *
 * <p>Layout only. <b>Threading</b>, <b>Ownership</b>: those of the array. <b>Allocation</b>: none. Source: epoll_event(3type).
 */
public final class EpollEvent {
    public static final int SIZE = LinuxPlatform.AARCH64 ? 16 : 12;
    public static final int EVENTS_OFFSET = 0;
    public static final int DATA_OFFSET = LinuxPlatform.AARCH64 ? 8 : 4;

    private EpollEvent() {}

    public static int events(long event) {
        return NativeMemory.getInt(event + EVENTS_OFFSET);
    }

    public static long data(long event) {
        return NativeMemory.getLong(event + DATA_OFFSET);
    }

    public static void set(long event, int events, long data) {
        NativeMemory.putInt(event + EVENTS_OFFSET, events);
        NativeMemory.putLong(event + DATA_OFFSET, data);
    }
}
