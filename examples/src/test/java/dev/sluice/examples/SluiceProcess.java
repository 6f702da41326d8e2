package dev.sluice.examples;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The sluice command in a process of its own, as a person runs it. */
final class SluiceProcess implements AutoCloseable {
    private static final long LIMIT_SECONDS = 60;
    private static final List<String> NATIVE_ACCESS = List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow");

    /** How a command ended, and all that it said. */
    record Ended(int status, String out, String err) {}

    private final Process process;
    private final CompletableFuture<String> ready = new CompletableFuture<>();
    private final CompletableFuture<String> out;
    private final CompletableFuture<String> err;

    private SluiceProcess(Process process) {
        this.process = process;
        this.out = collect(process.inputReader(StandardCharsets.UTF_8), ready);
        this.err = collect(process.errorReader(StandardCharsets.UTF_8), new CompletableFuture<>());
    }

    /** All lines, once the stream has ended, and the first one as soon as it is there. A thread of its own: on two cores the common pool has one. */
    private static CompletableFuture<String> collect(BufferedReader stream, CompletableFuture<String> first) {
        CompletableFuture<String> all = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            StringBuilder text = new StringBuilder();
            try {
                for (String line = stream.readLine(); line != null; line = stream.readLine()) {
                    first.complete(line);
                    text.append(line).append('\n');
                }
                all.complete(text.toString());
            } catch (IOException failed) {
                all.completeExceptionally(failed);
            } finally {
                first.complete("");
            }
        });
        return all;
    }

    static SluiceProcess start(Object... arguments) throws IOException {
        return startWith(NATIVE_ACCESS, arguments);
    }

    static SluiceProcess startWith(List<String> jvmOptions, Object... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(jvmOptions);
        command.addAll(List.of("-XX:+UseSerialGC", "-ea", "-cp", System.getProperty("java.class.path"), "dev.sluice.examples.SluiceCommand"));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        return new SluiceProcess(new ProcessBuilder(command).start());
    }

    /** Runs a command to its end. */
    static Ended run(Object... arguments) throws Exception {
        try (SluiceProcess process = start(arguments)) {
            return process.await();
        }
    }

    /** Starts {@code serve} and waits for its ready line. */
    static SluiceProcess serve(Object... arguments) throws Exception {
        return serveWith(NATIVE_ACCESS, arguments);
    }

    static SluiceProcess serveWith(List<String> jvmOptions, Object... arguments) throws Exception {
        Object[] all = new Object[arguments.length + 1];
        all[0] = "serve";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        SluiceProcess process = startWith(jvmOptions, all);
        String line = process.ready.get(LIMIT_SECONDS, TimeUnit.SECONDS);
        if (!line.startsWith("ready")) {
            process.close();
            throw new AssertionError("serve did not get ready: " + line + "\n" + process.err.get(LIMIT_SECONDS, TimeUnit.SECONDS));
        }
        return process;
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    void kill() throws Exception {
        process.destroyForcibly().waitFor();
    }

    Ended terminate() throws Exception {
        // By its handle: Process.destroy would also close the streams that are still to be read.
        process.toHandle().destroy();
        return await();
    }

    Ended await() throws Exception {
        if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the command has not ended within " + LIMIT_SECONDS + " s");
        }
        return new Ended(process.exitValue(), out.get(LIMIT_SECONDS, TimeUnit.SECONDS), err.get(LIMIT_SECONDS, TimeUnit.SECONDS));
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
