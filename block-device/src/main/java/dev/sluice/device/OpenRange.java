package dev.sluice.device;

/** A range that is being read or written: told when its device closes, as what feeds or takes it may never signal again. */
interface OpenRange {
    /** Ends the range with an error, unless it has all that it needs. Any thread. */
    void deviceCloses();
}
