package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Runs a program as a container does whose seccomp profile forbids io_uring: its system calls answer EPERM, in this process, in those that it starts, and
 * for good. Source: seccomp(2).
 */
public final class WithoutIoUring {
    private static final int SYS_PRCTL = LinuxPlatform.AARCH64 ? 167 : 157;
    private static final int SYS_SECCOMP = LinuxPlatform.AARCH64 ? 277 : 317;
    private static final int SYS_IO_URING_SETUP = 425;
    private static final int SYS_IO_URING_ENTER = 426;
    private static final int SYS_IO_URING_REGISTER = 427;

    /** With {@code -Dsluice.test.forbid=enter} a ring can be made, but not entered. */
    private static final boolean ENTER_ALONE = "enter".equals(System.getProperty("sluice.test.forbid"));

    private static final int FIRST_FORBIDDEN = ENTER_ALONE ? SYS_IO_URING_ENTER : SYS_IO_URING_SETUP;
    private static final int LAST_FORBIDDEN = ENTER_ALONE ? SYS_IO_URING_ENTER : SYS_IO_URING_REGISTER;

    private static final int PR_SET_NO_NEW_PRIVS = 38;
    private static final int SECCOMP_SET_MODE_FILTER = 1;
    private static final int SECCOMP_FILTER_FLAG_TSYNC = 1;
    private static final int SECCOMP_RET_ALLOW = 0x7fff_0000;
    private static final int SECCOMP_RET_ERRNO = 0x0005_0000;

    private static final int BPF_LD_W_ABS = 0x20;
    private static final int BPF_JMP_JGE_K = 0x35;
    private static final int BPF_JMP_JGT_K = 0x25;
    private static final int BPF_RET_K = 0x06;

    /** {@code struct sock_filter}: 16 bits of code, 8 of jump if true, 8 of jump if false, 32 of operand. The first word of what is looked at is the call. */
    private static final long[] PROGRAM = {
        instruction(BPF_LD_W_ABS, 0, 0, 0),
        instruction(BPF_JMP_JGE_K, 0, 1, FIRST_FORBIDDEN),
        instruction(BPF_JMP_JGT_K, 0, 1, LAST_FORBIDDEN),
        instruction(BPF_RET_K, 0, 0, SECCOMP_RET_ALLOW),
        instruction(BPF_RET_K, 0, 0, SECCOMP_RET_ERRNO | Errno.EPERM),
    };

    private static final Libc.Call4 SYSCALL_3 = new Libc.Call4(Libc.returningLong("syscall"));
    private static final Libc.Call6 SYSCALL_5 = new Libc.Call6(Libc.returningLong("syscall"));

    private WithoutIoUring() {}

    /** The class with the program's {@code main}, and its arguments. */
    public static void main(String[] arguments) throws ReflectiveOperationException {
        forbid();
        String[] own = Arrays.copyOfRange(arguments, 1, arguments.length);
        Class.forName(arguments[0]).getMethod("main", String[].class).invoke(null, (Object) own);
    }

    private static void forbid() {
        if (SYSCALL_5.call(SYS_PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
            throw new IllegalStateException("prctl(PR_SET_NO_NEW_PRIVS)");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment program = arena.allocateFrom(ValueLayout.JAVA_LONG, PROGRAM);
            // struct sock_fprog
            MemorySegment filter = arena.allocate(16, 8);
            filter.set(ValueLayout.JAVA_SHORT, 0, (short) PROGRAM.length);
            filter.set(ValueLayout.JAVA_LONG, 8, program.address());
            // TSYNC: for all threads that the JVM has already.
            long result = SYSCALL_3.call(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, filter.address());
            if (result != 0) {
                throw new IllegalStateException("seccomp: " + result);
            }
        }
    }

    private static long instruction(int code, int ifTrue, int ifFalse, int operand) {
        return code | (long) ifTrue << 16 | (long) ifFalse << 24 | (long) operand << 32;
    }
}
