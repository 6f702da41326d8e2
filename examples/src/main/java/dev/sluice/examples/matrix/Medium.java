package dev.sluice.examples.matrix;

/** What a backend of the matrix keeps its disk on. */
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

    /** Whether there is an image behind it, which must be filled first. */
    boolean hasImage() {
        return this != NULL;
    }
}
