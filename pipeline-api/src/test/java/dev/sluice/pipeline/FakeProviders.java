package dev.sluice.pipeline;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A class path with exactly the providers that a test names; what each can do is the test's to say. For one thread. */
final class FakeProviders implements AutoCloseable {
    /** By name of a backend or {@code loop NAME}: why it cannot be used. */
    static final Map<String, String> UNAVAILABLE = new HashMap<>();

    /** By name of a backend: the loops that it runs on. */
    static final Map<String, List<String>> LOOPS = new HashMap<>();

    /** Of all kinds, in order; a test closes none of them twice. */
    static final List<StartedLoop> STARTED = new ArrayList<>();

    /** Names of the loops that cannot be started. */
    static final List<String> UNSTARTABLE = new ArrayList<>();

    private final ClassLoader before = Thread.currentThread().getContextClassLoader();

    FakeProviders(List<Class<? extends BlockBackendProvider>> backends, List<Class<? extends IoLoopProvider>> loops, String... stages) {
        clear();
        Map<String, String> services = Map.of(
                BlockBackendProvider.class.getName(), lines(backends),
                IoLoopProvider.class.getName(), lines(loops),
                BlockStageProvider.class.getName(), String.join("\n", stages));
        Thread.currentThread().setContextClassLoader(new ClassLoader(before) {
            @Override
            public Enumeration<URL> getResources(String name) throws IOException {
                String service = name.replaceFirst("^META-INF/services/", "");
                String content = services.get(service);
                return content == null ? super.getResources(name) : Collections.enumeration(List.of(url(content)));
            }
        });
    }

    private static String lines(List<? extends Class<?>> classes) {
        return String.join("\n", classes.stream().map(Class::getName).toList());
    }

    private static URL url(String content) throws IOException {
        return URL.of(URI.create("fake:services"), new URLStreamHandler() {
            @Override
            protected URLConnection openConnection(URL url) {
                return new URLConnection(url) {
                    @Override
                    public void connect() {}

                    @Override
                    public InputStream getInputStream() {
                        return new ByteArrayInputStream(content.getBytes(StandardCharsets.UTF_8));
                    }
                };
            }
        });
    }

    private static void clear() {
        UNAVAILABLE.clear();
        LOOPS.clear();
        STARTED.clear();
        UNSTARTABLE.clear();
    }

    @Override
    public void close() {
        Thread.currentThread().setContextClassLoader(before);
        clear();
    }

    /** A loop of a kind, and whether it was closed. */
    record StartedLoop(String kind, String name, ManualLoop loop) {
        boolean closed() {
            try {
                loop.execute(() -> {});
                return false;
            } catch (java.util.concurrent.RejectedExecutionException closed) {
                return true;
            }
        }
    }

    abstract static class Backend implements BlockBackendProvider {
        private final String name;
        private final int preference;

        Backend(String name, int preference) {
            this.name = name;
            this.preference = preference;
        }

        @Override
        public int preference() {
            return preference;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public Optional<String> unavailable() {
            return Optional.ofNullable(UNAVAILABLE.get(name));
        }

        @Override
        public Optional<String> unavailable(BackendOptions options) {
            return unavailable().or(() -> Optional.ofNullable(UNAVAILABLE.get(name + " for an image")));
        }

        @Override
        public List<String> loops() {
            return LOOPS.getOrDefault(name, List.of());
        }

        @Override
        public BlockBackend open(BackendOptions options) {
            return SimulatedBackend.ofSize(1 << 20);
        }
    }

    public static final class Tape extends Backend {
        public Tape() {
            super("tape", 0);
        }
    }

    public static final class Nio extends Backend {
        public Nio() {
            super("nio", 10);
        }
    }

    public static final class LinuxAio extends Backend {
        public LinuxAio() {
            super("linux-aio", 20);
        }
    }

    public static final class Uring extends Backend {
        public Uring() {
            super("io_uring", 30);
        }
    }

    abstract static class Loop implements IoLoopProvider {
        private final String name;
        private final int preference;

        Loop(String name, int preference) {
            this.name = name;
            this.preference = preference;
        }

        @Override
        public int preference() {
            return preference;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public Optional<String> unavailable() {
            return Optional.ofNullable(UNAVAILABLE.get("loop " + name));
        }

        @Override
        public boolean watches() {
            return !name.equals("thread");
        }

        @Override
        public IoLoop start(String loopName, long pollMaxNanos) throws IOException {
            if (UNSTARTABLE.contains(name + " " + loopName)) {
                throw new IOException(loopName + " cannot be started (made up)");
            }
            ManualLoop loop = new ManualLoop(loopName);
            STARTED.add(new StartedLoop(name, loopName, loop));
            return loop;
        }
    }

    public static final class ThreadLoop extends Loop {
        public ThreadLoop() {
            super("thread", 10);
        }
    }

    public static final class EpollLoop extends Loop {
        public EpollLoop() {
            super("epoll", 20);
        }
    }

    public static final class UringLoop extends Loop {
        public UringLoop() {
            super("io_uring", 30);
        }
    }

    abstract static class Stage implements BlockStageProvider {
        private final String name;

        Stage(String name) {
            this.name = name;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public BlockStage create(String arguments, StageContext context) {
            if (!arguments.isEmpty()) {
                throw new IllegalArgumentException("stage " + name + " takes no arguments; '" + arguments + "' was given");
            }
            return new PassingStage(name, true);
        }
    }

    public static final class NoopStage extends Stage {
        public NoopStage() {
            super("noop");
        }
    }

    public static final class HopStage extends Stage {
        public HopStage() {
            super("hop");
        }
    }
}
