package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.util.Arrays;

/**
 * Functions of libc as records that can be called: the only method handles into native code.
 *
 * <p>Every argument is declared as a 64-bit integer, whatever its C type: the ABIs of x86_64 and aarch64 pass an
 * {@code int} and a pointer in the low part of the same register and the callee ignores the rest. So addresses stay
 * {@code long}s without a {@code MemorySegment} each, and there are only a few shapes of downcall for the JVM to link.
 *
 * <p>A record, because the JIT trusts a record's final fields: {@code static final Call3 READ} is as good as a
 * {@code static final MethodHandle}.
 *
 * <p><b>Threading</b>: any thread; the errno is captured in a {@link ThreadScratch} per thread. <b>Failure</b>: the
 * negative errno. <b>Allocation</b>: none per call; 48 native bytes per thread that ever calls. None of the downcalls
 * is {@code critical}: a thread inside one does not hold up a safepoint.
 */
final class Libc {
    private static final int NOT_VARIADIC = -1;

    private Libc() {}

    /** A function that returns {@code int}. */
    static MethodHandle returningInt(String name, int arguments) {
        return link(name, ValueLayout.JAVA_INT, arguments, NOT_VARIADIC);
    }

    /** A function that returns {@code long}, {@code ssize_t}, {@code off_t} or a pointer. */
    static MethodHandle returningLong(String name, int arguments) {
        return link(name, ValueLayout.JAVA_LONG, arguments, NOT_VARIADIC);
    }

    /** {@code int fcntl(int, int, ...)} and its like. */
    static MethodHandle variadicReturningInt(String name, int arguments, int firstVariadic) {
        return link(name, ValueLayout.JAVA_INT, arguments, firstVariadic);
    }

    /** {@code long syscall(long, ...)}. */
    static MethodHandle variadicReturningLong(String name, int arguments, int firstVariadic) {
        return link(name, ValueLayout.JAVA_LONG, arguments, firstVariadic);
    }

    /** Links one harmless function. Throws IllegalCallerException where native access is denied. */
    @SuppressWarnings("restricted")
    static void probe(Linker linker) {
        linker.downcallHandle(FunctionDescriptor.of(ValueLayout.JAVA_INT));
    }

    @SuppressWarnings("restricted")
    private static MethodHandle link(String name, ValueLayout result, int arguments, int firstVariadic) {
        Linker linker = Linker.nativeLinker();
        MemorySegment symbol =
                linker
                        .defaultLookup()
                        .find(name)
                        .orElseThrow(() -> new LinuxUnavailableException("this libc has no function " + name, null));
        MemoryLayout[] longs = new MemoryLayout[arguments];
        Arrays.fill(longs, ValueLayout.JAVA_LONG);
        Linker.Option captureErrno = Linker.Option.captureCallState("errno");
        Linker.Option[] options =
                firstVariadic == NOT_VARIADIC
                        ? new Linker.Option[] {captureErrno}
                        : new Linker.Option[] {captureErrno, Linker.Option.firstVariadicArg(firstVariadic)};
        MethodHandle handle = linker.downcallHandle(symbol, FunctionDescriptor.of(result, longs), options);
        MethodType widened = handle.type().changeReturnType(long.class);
        return handle.asType(widened);
    }

    /** Whether the text can be a C string: it has no NUL inside, which would silently end it there. */
    static boolean isCString(String text) {
        return text.indexOf('\0') < 0;
    }

    private static AssertionError cannotHappen(Throwable thrown) {
        // A downcall throws nothing of its own; what surfaces here is the JVM's: a pending fault, StackOverflowError.
        if (thrown instanceof Error error) {
            throw error;
        }
        if (thrown instanceof RuntimeException exception) {
            throw exception;
        }
        return new AssertionError(thrown);
    }

    /** Native words of the calling thread: where errno is captured, and 32 bytes for a short argument or answer. */
    record ThreadScratch(MemorySegment errnoState, MemorySegment words) {
        private static final int WORDS_BYTES = 32;
        private static final ThreadLocal<ThreadScratch> CURRENT = ThreadLocal.withInitial(ThreadScratch::allocate);

        private static ThreadScratch allocate() {
            MemorySegment block = Arena.ofAuto().allocate(16 + WORDS_BYTES, 16);
            return new ThreadScratch(
                    block.asSlice(0, Linker.Option.captureStateLayout().byteSize()), block.asSlice(16, WORDS_BYTES));
        }

        static ThreadScratch current() {
            return CURRENT.get();
        }

        long result(long returned) {
            return returned == -1 ? -errnoState.get(ValueLayout.JAVA_INT, 0) : returned;
        }
    }

    /** A function of 0 arguments. */
    record Call0(MethodHandle handle) {
        long call() {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                return scratch.result((long) handle.invokeExact(scratch.errnoState));
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function of 1 argument. */
    record Call1(MethodHandle handle) {
        long call(long a) {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                return scratch.result((long) handle.invokeExact(scratch.errnoState, a));
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function of 2 arguments. */
    record Call2(MethodHandle handle) {
        long call(long a, long b) {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                return scratch.result((long) handle.invokeExact(scratch.errnoState, a, b));
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function of 3 arguments. */
    record Call3(MethodHandle handle) {
        long call(long a, long b, long c) {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                return scratch.result((long) handle.invokeExact(scratch.errnoState, a, b, c));
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function of 4 arguments. */
    record Call4(MethodHandle handle) {
        long call(long a, long b, long c, long d) {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                return scratch.result((long) handle.invokeExact(scratch.errnoState, a, b, c, d));
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function of 5 arguments. */
    record Call5(MethodHandle handle) {
        long call(long a, long b, long c, long d, long e) {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                return scratch.result((long) handle.invokeExact(scratch.errnoState, a, b, c, d, e));
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function of 6 arguments. */
    record Call6(MethodHandle handle) {
        long call(long a, long b, long c, long d, long e, long f) {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                return scratch.result((long) handle.invokeExact(scratch.errnoState, a, b, c, d, e, f));
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }
}
