package dev.sluice.linux;

import java.io.IOException;
import java.lang.foreign.ValueLayout;

/**
 * Signals of this process as bytes in a pipe, so that an existing thread receives them.
 *
 * <p>The JVM starts a thread for each signal; if it cannot (pids.max, TasksMax, RLIMIT_NPROC) it drops the signal, and a full container cannot be asked to
 * terminate. signalfd(2) is no alternative: a signal reaches it only if every thread blocks it, and the JVM's threads do not. So the handler is a few machine
 * instructions of our own, the self-pipe trick: write(2) of the signal's number into a non-blocking pipe, on whichever thread the kernel picks. It touches
 * nothing else, not even errno.
 *
 * <p><b>Threading:</b> {@link #take} any thread; {@link #await} one. <b>Ownership:</b> the process's, permanently: a handler must outlive its signals, so there
 * is no close. <b>Failure:</b> {@link IOException} if the pipe or the handler cannot be created; the JVM's own handlers stay in place then. <b>Allocation:</b>
 * at creation. Source: signal(7), pipe(7).
 */
public final class SignalPipe {
    public static final int SIGHUP = 1;
    public static final int SIGINT = 2;
    public static final int SIGTERM = 15;

    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;
    private static final int F_SETFL = 4;
    private static final int F_SETPIPE_SZ = 1031;
    private static final int PIPE_BYTES = 4096;
    private static final int PROT_EXEC = 4;
    private static final long PAGE_BYTES = 65536;
    private static final long SIG_IGN = 1;

    private static final byte[] X86_64 = code(
            0xf3, 0x0f, 0x1e, 0xfa, // endbr64: for CPUs that check indirect jumps
            0x48, 0x83, 0xec, 0x18, // sub rsp, 24
            0x40, 0x88, 0x7c, 0x24, 0x08, // mov byte [rsp+8], dil: the signal's number
            0x8b, 0x3d, 0x19, 0x00, 0x00, 0x00, // mov edi, [rip+25]: the descriptor, after the code
            0x48, 0x8d, 0x74, 0x24, 0x08, // lea rsi, [rsp+8]
            0xba, 0x01, 0x00, 0x00, 0x00, // mov edx, 1
            0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, 1: write(2)
            0x0f, 0x05, // syscall
            0x48, 0x83, 0xc4, 0x18, // add rsp, 24
            0xc3, // ret: to rt_sigreturn(2), which restores all registers
            0x0f, 0x1f, 0x00); // nop

    private static final byte[] AARCH64 = code(
            0xff, 0x43, 0x00, 0xd1, // sub sp, sp, #16
            0xe0, 0x23, 0x00, 0x39, // strb w0, [sp, #8]: the signal's number
            0xe0, 0x00, 0x00, 0x18, // ldr w0, .+28: the descriptor, after the code
            0xe1, 0x23, 0x00, 0x91, // add x1, sp, #8
            0x22, 0x00, 0x80, 0xd2, // mov x2, #1
            0x08, 0x08, 0x80, 0xd2, // mov x8, #64: write(2)
            0x01, 0x00, 0x00, 0xd4, // svc #0
            0xff, 0x43, 0x00, 0x91, // add sp, sp, #16
            0xc0, 0x03, 0x5f, 0xd6); // ret: to rt_sigreturn(2), which restores all registers

    private static final Libc.Call2 PIPE2 = new Libc.Call2(Libc.returningInt("pipe2"));
    private static final Libc.Call3 FCNTL = new Libc.Call3(Libc.returningInt("fcntl"));
    private static final Libc.Call3 MPROTECT = new Libc.Call3(Libc.returningInt("mprotect"));
    private static final Libc.Call2 SIGNAL = new Libc.Call2(Libc.returningLong("signal"));
    private static final Libc.Call3 READ = new Libc.Call3(Libc.returningLong("read"));

    private final int readEnd;
    private final long handler;
    private final NativeBlock number = NativeMemory.allocate(1, 1);

    private static byte[] code(int... values) {
        byte[] code = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            code[i] = (byte) values[i];
        }
        return code;
    }

    private SignalPipe(int readEnd, long handler) {
        this.readEnd = readEnd;
        this.handler = handler;
    }

    /**
     * Creates a pipe and its handler; it handles no signal yet.
     *
     * @throws IOException with one line if the pipe or the memory for the handler cannot be created
     */
    public static SignalPipe open() throws IOException {
        LinuxPlatform.ensureAvailable();
        long ends = Libc.ThreadScratch.current().words().address();
        int made = (int) PIPE2.call(ends, O_CLOEXEC);
        if (made < 0) {
            throw new ErrnoException("pipe2", "", made, "raise the limit of open files (ulimit -n)");
        }
        int readEnd = NativeMemory.getInt(ends);
        int writeEnd = NativeMemory.getInt(ends + 4);
        try {
            // Only the write end: a handler never blocks, and the reader always does.
            int set = (int) FCNTL.call(writeEnd, F_SETFL, O_NONBLOCK);
            if (set < 0) {
                throw new ErrnoException("fcntl", "of a pipe", set, "");
            }
            // More signals than fit can only be pending if nobody reads; if the size cannot be set, the pipe is larger.
            long _ = FCNTL.call(writeEnd, F_SETPIPE_SZ, PIPE_BYTES);
            return new SignalPipe(readEnd, handlerTo(writeEnd));
        } catch (Throwable refused) {
            Fd.adopt(readEnd).close();
            Fd.adopt(writeEnd).close();
            throw refused;
        }
    }

    @SuppressWarnings("MustBeClosedChecker") // never: a signal may come at any time
    private static long handlerTo(int writeEnd) throws IOException {
        byte[] code = LinuxPlatform.AARCH64 ? AARCH64 : X86_64;
        Mapping page = Mapping.anonymous(PAGE_BYTES);
        page.view(0, code.length).asByteBuffer().put(code);
        NativeMemory.putInt(page.address() + code.length, writeEnd);
        // Never writable and executable at once; making it executable also flushes the instruction cache of aarch64.
        int sealed = (int) MPROTECT.call(page.address(), PAGE_BYTES, Mapping.PROT_READ | PROT_EXEC);
        if (sealed < 0) {
            page.close();
            throw new ErrnoException("mprotect", "of the signal handler", sealed, "");
        }
        return page.address();
    }

    /**
     * Handles a signal from now on.
     *
     * @return false if this process was started with it ignored (as by nohup): it stays ignored
     */
    public boolean take(int signal) throws IOException {
        long before = SIGNAL.call(signal, handler);
        if (before < 0 && before > -4096) {
            throw new ErrnoException("signal", Integer.toString(signal), (int) before, "");
        }
        if (before == SIG_IGN) {
            long _ = SIGNAL.call(signal, SIG_IGN);
            return false;
        }
        return true;
    }

    /** Waits for the next signal; returns its number. */
    public int await() throws IOException {
        while (true) {
            int read = (int) READ.call(readEnd, number.address(), 1);
            if (read == 1) {
                return NativeMemory.view(number.address(), 1).get(ValueLayout.JAVA_BYTE, 0);
            }
            if (read != -Errno.EINTR) {
                throw new ErrnoException("read", "of the signal pipe", read, "");
            }
        }
    }
}
