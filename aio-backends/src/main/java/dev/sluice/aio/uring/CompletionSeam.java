package dev.sluice.aio.uring;

/**
 * Where a test may put its own result in place of the kernel's: a refusal (the call is then made again) or fewer bytes than were
 * moved (the rest is then moved again). Both are what the kernel is free to do.
 */
@FunctionalInterface
interface CompletionSeam {
    /** The kernel's word. */
    CompletionSeam NONE = (opcode, result) -> result;

    int result(byte opcode, int result);
}
