package dev.sluice.device;

/** How closely a {@link BlockBufferPool} watches for buffers that are never closed. */
public enum LeakDetection {
    /** Only counts when the pool is closed. */
    OFF,
    /** Reports a buffer that was collected without having been closed. Costs a reference (48 bytes) per buffer taken. */
    ON,
    /** And reports where it was taken. Costs a stack trace per buffer taken: for tests. */
    TRACE
}
