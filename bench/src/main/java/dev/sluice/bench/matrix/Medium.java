package dev.sluice.bench.matrix;

/** The medium of a backend's disk in the matrix. */
enum Medium {
    NULL("null sink"),
    RAM("RAM-backed file"),
    DISK("disk");

    private final String text;

    Medium(String text) {
        this.text = text;
    }

    /** For titles. */
    String text() {
        return text;
    }

    /** Whether it needs an image, which must be filled first. */
    boolean hasImage() {
        return this != NULL;
    }
}
