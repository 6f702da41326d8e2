package dev.sluice.examples.copy;

/** A range of an image. Immutable. */
record Extent(long offsetBytes, long lengthBytes) {
    long endBytes() {
        return offsetBytes + lengthBytes;
    }
}
