package dev.sluice.server;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/** The sluice command in a process of its own, as a person runs it. */
public final class SluiceProcess implements AutoCloseable {
    private static final long LIMIT_SECONDS = 120;
    public static final String MAIN = SluiceCommand.class.getName();
    public static final List<String> NATIVE_ACCESS = List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow");

    /** How a command ended, and all that it said. */
    public record Ended(int status, String out, String err) {}

    private final Process process;
    private final Output out;
    private final Output err;

    private SluiceProcess(Process process) {
        this.process = process;
        this.out = new Output(process.inputReader(StandardCharsets.UTF_8));
        this.err = new Output(process.errorReader(StandardCharsets.UTF_8));
    }

    /** What a process says, line by line. A thread of its own: on two cores the common pool has one. */
    private static final class Output {
        private final StringBuilder text = new StringBuilder();
        private boolean ended;

        Output(BufferedReader stream) {
            Thread.ofPlatform().daemon().start(() -> read(stream));
        }

        private void read(BufferedReader stream) {
            try {
                for (String line = stream.readLine(); line != null; line = stream.readLine()) {
                    add(line + "\n");
                }
            } catch (IOException broken) {
                add("reading has failed: " + broken + "\n");
            } finally {
                end();
            }
        }

        private synchronized void add(String line) {
            text.append(line);
            notifyAll();
        }

        private synchronized void end() {
            ended = true;
            notifyAll();
        }

        /** All there is once it satisfies this or has ended. */
        synchronized String when(Predicate<String> wanted) throws InterruptedException {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
            while (!ended && !wanted.test(text.toString())) {
                long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (millis <= 0) {
                    throw new AssertionError("not said within " + LIMIT_SECONDS + " s; said was: " + text);
                }
                wait(millis);
            }
            return text.toString();
        }

        String all() throws InterruptedException {
            return when(text -> false);
        }
    }

    public static SluiceProcess start(Object... arguments) throws IOException {
        return startWith(NATIVE_ACCESS, arguments);
    }

    public static SluiceProcess startWith(List<String> jvmOptions, Object... arguments) throws IOException {
        return startWith(jvmOptions, List.of(), Map.of(), MAIN, arguments);
    }

    /**
     * Starts a program of Sluice.
     *
     * @param wrapper what stands before the java command
     * @param environment added to this process's own
     */
    public static SluiceProcess startWith(List<String> jvmOptions, List<String> wrapper, Map<String, String> environment, String main, Object... arguments)
            throws IOException {
        // Whoever runs the tests may ignore signals (nohup ignores SIGHUP), and a JVM leaves alone what was ignored when it started.
        List<String> command = new ArrayList<>(List.of("env", "--default-signal=HUP,INT,QUIT"));
        command.addAll(wrapper);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(jvmOptions);
        command.addAll(List.of("-XX:+UseSerialGC", "-ea", "-cp", System.getProperty("java.class.path"), main));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().putAll(environment);
        return new SluiceProcess(builder.start());
    }

    /** Runs a command to its end. */
    public static Ended run(Object... arguments) throws Exception {
        try (SluiceProcess process = start(arguments)) {
            return process.await();
        }
    }

    /** Starts {@code serve} and waits for its ready line. */
    public static SluiceProcess serve(Object... arguments) throws Exception {
        return serveWith(NATIVE_ACCESS, arguments);
    }

    public static SluiceProcess serveWith(List<String> jvmOptions, Object... arguments) throws Exception {
        Object[] all = new Object[arguments.length + 1];
        all[0] = "serve";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return startWith(jvmOptions, all).ready();
    }

    /** Waits for the ready line. */
    public SluiceProcess ready() throws Exception {
        String said = out.when(text -> text.contains("\n"));
        if (!said.startsWith("ready")) {
            close();
            throw new AssertionError("did not get ready: " + said + "\n" + err.all());
        }
        return this;
    }

    /** Waits until stdout has said something; returns all that it has said. */
    public String awaitOut(String wanted) throws InterruptedException {
        return out.when(text -> text.contains(wanted));
    }

    /** Waits until stdout has said something so many times. */
    public void awaitOut(String wanted, int times) throws InterruptedException {
        out.when(text -> text.split(Pattern.quote(wanted), -1).length > times);
    }

    /** Waits until stderr has said something; returns all that it has said. */
    public String awaitErr(String wanted) throws InterruptedException {
        return err.when(text -> text.contains(wanted));
    }

    public void signal(String name) throws Exception {
        Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
        if (kill.waitFor() != 0) {
            throw new AssertionError("kill has failed");
        }
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    public void kill() throws Exception {
        process.destroyForcibly().waitFor();
    }

    public Ended terminate() throws Exception {
        // By its handle: Process.destroy would also close the streams that are still to be read.
        process.toHandle().destroy();
        return await();
    }

    public Ended await() throws Exception {
        if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the command has not ended within " + LIMIT_SECONDS + " s");
        }
        return new Ended(process.exitValue(), out.all(), err.all());
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
