package dev.sluice.aio.nio;

/** Where a test may put its own result in place of the file's: bytes moved, zero or a negative errno. Any thread. */
@FunctionalInterface
interface CallSeam {
    /** The kinds of calls. */
    enum Call {
        READ,
        WRITE,
        SYNC
    }

    /** The file's word. */
    CallSeam NONE = (call, result) -> result;

    int result(Call call, int result);
}
