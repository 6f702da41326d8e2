package dev.sluice.aio.sink;

/**
 * Where a test may put its own result in place of the kernel's: a refusal (the call is then made again) or fewer bytes than were
 * moved (the rest is then moved again). Both are what the kernel is free to do.
 */
@FunctionalInterface
public interface CompletionSeam {
    /** What the kernel was asked for. */
    enum Call {
        READ,
        WRITE,
        SYNC,
        /** fallocate(2). */
        ALLOCATE
    }

    /** The kernel's word. */
    CompletionSeam NONE = (_, result) -> result;

    /** The result that counts. */
    int result(Call call, int result);
}
