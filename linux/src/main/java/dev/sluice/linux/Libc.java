package dev.sluice.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Functions of libc as callable records: the only method handles into native code.
 *
 * <p>All of them are linked with one shape, six 64-bit integers to one, whatever their C types are, because each further shape that the JVM links costs
 * start-up time. The ABIs of x86_64 and aarch64 pass an {@code int} and a pointer in the low part of the same register, and the callee ignores the rest of it
 * as well as registers without an argument; on Linux both pass the integers of a variadic call like those of any other. So addresses stay {@code long}s
 * without a {@code MemorySegment} each. The upper half of a returned {@code int} is undefined; {@link #returningInt} takes care of that.
 *
 * <p>Records, because the JIT trusts a record's final fields: {@code static final Call3 READ} is as good as a
 * {@code static final MethodHandle}. Their numbers are the numbers of arguments in the C declaration.
 *
 * <p><b>Threading</b>: any thread; the errno is captured in a {@link ThreadScratch} per thread. <b>Failure</b>: the
 * negative errno. <b>Allocation</b>: 48 native bytes per thread that ever calls; none per call of the {@link Repeatable} and {@link Unfailing}
 * kinds, which is why the data path uses no other: to capture the errno, the JVM creates a slice of the capture segment, 40 bytes in each
 * call, and whether its compiler eliminates that differs from process to process. None of the downcalls is {@code critical}: a thread inside one
 * does not hold up a safepoint.
 */
final class Libc {
    private static final FunctionDescriptor SHAPE = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");

    private Libc() {}

    /** A function that returns {@code int}. */
    static Function returningInt(String name) {
        return new Telling(link(name, CAPTURE_ERRNO), true);
    }

    /** A function that returns {@code long}, {@code ssize_t}, {@code off_t} or a pointer. */
    static Function returningLong(String name) {
        return new Telling(link(name, CAPTURE_ERRNO), false);
    }

    /** Like {@link #returningLong}, for a {@link Repeatable} one. */
    static Repeatable repeatable(String name) {
        return new Repeatable(link(name), returningLong(name));
    }

    /** A function that returns {@code int} and cannot fail. */
    static Function unfailing(String name) {
        return new Unfailing(link(name));
    }

    /** Links without calling. Throws IllegalCallerException if native access is denied. */
    @SuppressWarnings("restricted")
    static void probe() {
        Linker.nativeLinker().downcallHandle(SHAPE, CAPTURE_ERRNO);
    }

    @SuppressWarnings("restricted")
    private static MethodHandle link(String name, Linker.Option... options) {
        Linker linker = Linker.nativeLinker();
        MemorySegment symbol =
                linker
                        .defaultLookup()
                        .find(name)
                        .orElseThrow(() -> new LinuxUnavailableException("libc lacks the function " + name, null));
        return linker.downcallHandle(symbol, SHAPE, options);
    }

    /** Whether the text can be a C string: it contains no NUL, which would silently truncate it. */
    static boolean isCString(String text) {
        return text.indexOf('\0') < 0;
    }

    private static AssertionError cannotHappen(Throwable thrown) {
        // A downcall itself throws nothing; what is thrown here is the JVM's: a pending fault, StackOverflowError.
        if (thrown instanceof Error error) {
            throw error;
        }
        if (thrown instanceof RuntimeException exception) {
            throw exception;
        }
        return new AssertionError(thrown);
    }

    /** Native words of the calling thread: for the captured errno, and 32 bytes for a short argument or result. */
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
            return returned == -1 ? -errnoState.get(JAVA_INT, 0) : returned;
        }
    }

    /** A linked function with any number of arguments. */
    sealed interface Function {
        long call(long a, long b, long c, long d, long e, long f);
    }

    /**
     * A function that has changed nothing if it returns -1: it is then called again, for the errno. If it succeeds the second time, all the better. Not for
     * functions that report an error only once (fsync(2), calls on sockets) or take effect nevertheless (close(2)), nor for those that return {@code int}.
     */
    record Repeatable(MethodHandle handle, Function capturing) implements Function {
        @Override
        public long call(long a, long b, long c, long d, long e, long f) {
            long returned;
            try {
                returned = (long) handle.invokeExact(a, b, c, d, e, f);
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
            return returned == -1 ? capturing.call(a, b, c, d, e, f) : returned;
        }
    }

    /** A function without an errno that returns {@code int}. */
    private record Unfailing(MethodHandle handle) implements Function {
        @Override
        public long call(long a, long b, long c, long d, long e, long f) {
            try {
                return (int) (long) handle.invokeExact(a, b, c, d, e, f);
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function whose errno is captured. */
    private record Telling(MethodHandle handle, boolean returnsInt) implements Function {
        @Override
        public long call(long a, long b, long c, long d, long e, long f) {
            ThreadScratch scratch = ThreadScratch.current();
            try {
                long returned = (long) handle.invokeExact(scratch.errnoState, a, b, c, d, e, f);
                return scratch.result(returnsInt ? (int) returned : returned);
            } catch (Throwable t) {
                throw cannotHappen(t);
            }
        }
    }

    /** A function of 0 arguments. */
    record Call0(Function function) {
        long call() {
            return function.call(0, 0, 0, 0, 0, 0);
        }
    }

    /** A function of 1 argument. */
    record Call1(Function function) {
        long call(long a) {
            return function.call(a, 0, 0, 0, 0, 0);
        }
    }

    /** A function of 2 arguments. */
    record Call2(Function function) {
        long call(long a, long b) {
            return function.call(a, b, 0, 0, 0, 0);
        }
    }

    /** A function of 3 arguments. */
    record Call3(Function function) {
        long call(long a, long b, long c) {
            return function.call(a, b, c, 0, 0, 0);
        }
    }

    /** A function of 4 arguments. */
    record Call4(Function function) {
        long call(long a, long b, long c, long d) {
            return function.call(a, b, c, d, 0, 0);
        }
    }

    /** A function of 5 arguments. */
    record Call5(Function function) {
        long call(long a, long b, long c, long d, long e) {
            return function.call(a, b, c, d, e, 0);
        }
    }

    /** A function of 6 arguments. */
    record Call6(Function function) {
        long call(long a, long b, long c, long d, long e, long f) {
            return function.call(a, b, c, d, e, f);
        }
    }
}
