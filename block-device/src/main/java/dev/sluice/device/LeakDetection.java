package dev.sluice.device;

/** How closely a {@link BlockBufferPool} watches for buffers that are forgotten. */
public enum LeakDetection {
    /** Not at all, but for the count when the pool is closed. */
    OFF,
    /** A buffer that is collected without having been closed is reported. Costs a reference (48 bytes) a buffer taken. */
    ON,
    /** And the report tells where it was taken. Costs a stack trace a buffer taken: for tests. */
    TRACE
}
