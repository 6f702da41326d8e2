package dev.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.server.SluiceCommand;
import dev.sluice.server.SparseFile;
import dev.sluice.server.cli.Commands;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code completion} prints, loaded into real shells on a terminal of their own, as somebody who presses the tab key sees it. */
class CompletionIT {
    /** What the command of these tests prints: its arguments. */
    private static final Pattern RAN = Pattern.compile("ran\\[([^\\]]*)]end");

    @TempDir
    Path directory;

    Path script;

    @BeforeEach
    void printTheScript() throws Exception {
        script = directory.resolve("sluice-completion");
        try (PrintWriter out = new PrintWriter(script.toFile(), StandardCharsets.UTF_8)) {
            assertThat(Commands.line(new SluiceCommand()).setOut(out).execute("completion")).isZero();
        }
        SparseFile.create(directory.resolve("disk.img"), 512);
        Path command = Files.writeString(directory.resolve("sluice"), "#!/bin/sh\nIFS='|'\nprintf 'ran[%s]end\\n' \"$*\"\n");
        Files.setPosixFilePermissions(command, PosixFilePermissions.fromString("rwx------"));
    }

    @Test
    void shouldCompleteInBash() throws Exception {
        present("bash");
        try (Shell bash = Shell.start("bash --noprofile --norc -i", directory)) {
            bash.load("source <(cat " + script + ")");
            completesCommandsOptionsAndValues(bash);
        }
    }

    @Test
    void shouldCompleteInZsh() throws Exception {
        present("zsh");
        try (Shell zsh = Shell.start("zsh -f -i", directory)) {
            zsh.load("autoload -U compinit && compinit -u; source <(cat " + script + ")");
            completesCommandsOptionsAndValues(zsh);
        }
    }

    @Test
    void shouldCompleteInAZshThatHasNotLoadedCompletionsBefore() throws Exception {
        present("zsh");
        try (Shell zsh = Shell.start("zsh -f -i", directory)) {
            zsh.load("source <(cat " + script + ")");
            completesCommandsOptionsAndValues(zsh);
        }
    }

    private static void completesCommandsOptionsAndValues(Shell shell) throws Exception {
        assertThat(shell.run("sluice ser\t")).isEqualTo("serve");
        assertThat(shell.run("./sluice ser\t")).isEqualTo("serve");
        assertThat(shell.run("sluice --vers\t")).isEqualTo("--version");
        assertThat(shell.run("sluice serve --socket\t")).isEqualTo("serve|--socket-path");
        assertThat(shell.run("sluice serve --blk-file disk.img --num-q\t4 --read-o\t")).isEqualTo("serve|--blk-file|disk.img|--num-queues|4|--read-only");
        assertThat(shell.run("sluice serve --blk-file di\t")).isEqualTo("serve|--blk-file|disk.img");
        assertThat(shell.run("sluice serve --log-level de\t")).isEqualTo("serve|--log-level|debug");
        assertThat(shell.run("sluice serve --loop ep\t")).isEqualTo("serve|--loop|epoll");
        assertThat(shell.run("sluice serve --backend linux\t")).isEqualTo("serve|--backend|linux-aio");
        assertThat(shell.run("sluice bench --dep\t")).isEqualTo("bench|--depth");
        assertThat(shell.run("sluice example copy\t--over\t")).isEqualTo("example|copy-image|--overwrite");
    }

    private static void present(String shell) {
        assumeThat(Path.of("/usr/bin/" + shell)).as("SKIPPED: completion in %s, which is not installed (apt-get install %s)", shell, shell).isExecutable();
        assumeThat(Path.of("/usr/bin/script")).as("SKIPPED: completion, as script is not installed (apt-get install bsdutils)").isExecutable();
    }

    /** An interactive shell on a terminal of its own. */
    private static final class Shell implements AutoCloseable {
        private static final long LIMIT_SECONDS = 120;
        private static final char CLEAR_LINE = 'U' & 0x1f;

        private final Process process;
        private final BufferedWriter keys;
        private final StringBuilder screen = new StringBuilder();
        /** How much of the screen was looked at. */
        private int seen;

        private Shell(Process process) {
            this.process = process;
            this.keys = process.outputWriter(StandardCharsets.UTF_8);
            Thread.ofPlatform().daemon().start(() -> read(process.inputReader(StandardCharsets.UTF_8)));
        }

        static Shell start(String command, Path directory) throws IOException {
            ProcessBuilder builder = new ProcessBuilder("script", "-q", "-c", command, "/dev/null").directory(directory.toFile()).redirectErrorStream(true);
            Map<String, String> environment = builder.environment();
            environment.put("PATH", directory + ":" + environment.get("PATH"));
            environment.put("HOME", directory.toString());
            environment.put("TERM", "dumb");
            environment.remove("ZDOTDIR");
            environment.remove("INPUTRC");
            return new Shell(builder.start());
        }

        private void read(BufferedReader terminal) {
            try {
                for (int typed = terminal.read(); typed >= 0; typed = terminal.read()) {
                    show((char) typed);
                }
            } catch (IOException ended) {
                // With the process.
            }
        }

        private synchronized void show(char shown) {
            screen.append(shown);
            notifyAll();
        }

        void load(String commands) throws Exception {
            // A shell that has run this reads keys by itself. The quotes keep the echo of what is typed from looking like what is printed.
            type(commands + "; printf '%s\\n' ran'['loaded']'end\n");
            assertThat(awaitRun()).isEqualTo("loaded");
        }

        /** Types a line, where a tab asks for completion, and Enter; the arguments that the command then got, parted by bars. */
        String run(String line) throws Exception {
            type(line + "\n");
            return awaitRun();
        }

        private void type(String text) throws IOException {
            keys.write(text);
            keys.flush();
        }

        private synchronized String awaitRun() throws InterruptedException {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
            while (true) {
                Matcher ran = RAN.matcher(screen).region(seen, screen.length());
                if (ran.find()) {
                    seen = ran.end();
                    return ran.group(1);
                }
                long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (millis <= 0) {
                    throw new AssertionError("not run within " + LIMIT_SECONDS + " s; the terminal shows: " + screen);
                }
                wait(millis);
            }
        }

        @Override
        public void close() {
            // By itself: a shell that is hung up writes its history while its directory is removed.
            try {
                type(CLEAR_LINE + "exit\n");
                process.onExit().orTimeout(LIMIT_SECONDS, TimeUnit.SECONDS).join();
            } catch (IOException | CompletionException stuck) {
                process.destroyForcibly();
            }
        }
    }
}
