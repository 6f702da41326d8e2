package dev.sluice.device;

/** A range that is being read or written. Its device notifies it when it closes, because the range's source or subscriber may never signal again. */
interface OpenRange {
    /** Terminates the range with an error, unless all of its requests have been made. Any thread. */
    void deviceCloses();
}
