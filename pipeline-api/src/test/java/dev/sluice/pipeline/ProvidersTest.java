package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which providers are taken, and what is said of those that are not; {@code ProvidersChoiceTest} of the backends' module has the real ones. */
class ProvidersTest {
    private static final BackendOptions IMAGE = BackendOptions.of(Path.of("/images/disk.img"));

    /** In an order that is nobody's preference. */
    private static FakeProviders all() {
        FakeProviders providers = new FakeProviders(
                List.of(FakeProviders.Tape.class, FakeProviders.Nio.class, FakeProviders.Uring.class, FakeProviders.LinuxAio.class),
                List.of(FakeProviders.ThreadLoop.class, FakeProviders.UringLoop.class, FakeProviders.EpollLoop.class),
                FakeProviders.NoopStage.class.getName(), FakeProviders.HopStage.class.getName());
        FakeProviders.LOOPS.put("io_uring", List.of("io_uring"));
        FakeProviders.LOOPS.put("linux-aio", List.of("epoll", "io_uring"));
        return providers;
    }

    private static String chosen(String backend, String loop) throws IOException {
        return shown(Providers.choose(backend, loop));
    }

    private static String shown(Providers.Choice choice) {
        return choice.backend().name() + " on " + choice.loop().name() + (choice.passedOver().isEmpty() ? "" : ", not " + choice.passedOver());
    }

    @Test
    void shouldSayWhatToAddWhereThereIsNothing() {
        try (FakeProviders _ = new FakeProviders(List.of(), List.of())) {
            assertThatThrownBy(() -> Providers.choose(Providers.AUTO, Providers.AUTO))
                    .isInstanceOf(IOException.class)
                    .hasMessage("no backend 'auto' with loop 'auto' can be used; none is on the class path: add a module that has some");
            assertThatThrownBy(() -> Providers.loop("io_uring", told -> {})).isInstanceOf(IOException.class).hasMessageContaining("no loop 'io_uring'");
            assertThatThrownBy(() -> Providers.open("tape", "", IMAGE)).isInstanceOf(IOException.class).hasMessageContaining("no backend 'tape'");
            assertThatThrownBy(() -> Providers.stage("xts:key"))
                    .isInstanceOf(IOException.class).hasMessage("there is no stage 'xts'; on the class path: none");
        }
    }

    @Test
    void shouldTakeTheBestThatWorks() throws IOException {
        try (FakeProviders _ = all()) {
            assertThat(chosen("auto", "auto")).isEqualTo("io_uring on io_uring");
            FakeProviders.UNAVAILABLE.put("io_uring", "it is forbidden");
            assertThat(chosen("auto", "auto")).as("the loop that it names first").isEqualTo("linux-aio on epoll, not [io_uring: it is forbidden]");
            FakeProviders.UNAVAILABLE.put("linux-aio", "too few events");
            assertThat(chosen("auto", "auto")).as("any loop: in the usual order")
                    .isEqualTo("nio on io_uring, not [io_uring: it is forbidden, linux-aio: too few events]");
            FakeProviders.UNAVAILABLE.put("nio", "no");
            assertThat(chosen("auto", "auto")).as("one that no order names").startsWith("tape on io_uring, not [");
            FakeProviders.UNAVAILABLE.put("loop io_uring", "no memory to lock");
            assertThat(chosen("tape", "auto")).isEqualTo("tape on epoll, not [loop io_uring: no memory to lock]");
        }
    }

    @Test
    void shouldTakeWhatIsAskedForOrSayWhyNot() throws IOException {
        try (FakeProviders _ = all()) {
            assertThat(chosen("nio", "thread")).isEqualTo("nio on thread");
            assertThat(chosen("auto", "epoll")).isEqualTo("linux-aio on epoll, not [io_uring does not run on loop epoll, io_uring: no loop 'epoll' for it]");
            assertThatThrownBy(() -> Providers.choose("io_uring", "thread"))
                    .isInstanceOf(IOException.class)
                    .hasMessage("no backend 'io_uring' with loop 'thread' can be used; io_uring does not run on loop thread;"
                            + " io_uring: no loop 'thread' for it");
            assertThatThrownBy(() -> Providers.choose("floppy", "auto"))
                    .hasMessage("no backend 'floppy' with loop 'auto' can be used; on the class path: backend io_uring, backend linux-aio, backend nio,"
                            + " backend tape, loop io_uring, loop epoll, loop thread");
        }
    }

    @Test
    void shouldPassOverABackendWithTooLittleLeftForTheImage() throws IOException {
        try (FakeProviders _ = all()) {
            FakeProviders.UNAVAILABLE.put("io_uring for an image", "too little locked memory");
            assertThat(chosen("auto", "auto")).isEqualTo("io_uring on io_uring");
            assertThat(shown(Providers.choose("auto", "auto", IMAGE))).isEqualTo("linux-aio on epoll, not [io_uring: too little locked memory]");
            assertThat(shown(Providers.start("auto", "auto", IMAGE, 0, "loop-").choice())).startsWith("linux-aio on epoll");
        }
    }

    @Test
    void shouldLogWhatWasTakenWhenAChoiceOpensItsImage() throws IOException {
        try (FakeProviders _ = all(); CapturedLog log = new CapturedLog()) {
            FakeProviders.UNAVAILABLE.put("io_uring", "it is forbidden");
            try (BlockBackend opened = Providers.choose("auto", "auto").open(IMAGE)) {
                assertThat(opened.name()).isEqualTo("simulated");
            }
            assertThat(log.lines()).singleElement().asString()
                    .endsWith("/images/disk.img: backend linux-aio on loop epoll; passed over: io_uring: it is forbidden");
        }
    }

    @Test
    void shouldOpenAnImageForTheLoopThereIs() throws IOException {
        try (FakeProviders _ = all(); CapturedLog log = new CapturedLog()) {
            List<String> told = new ArrayList<>();
            Providers.open("auto", "epoll", IMAGE, told::add).close();
            Providers.open("auto", "", IMAGE, told::add).close();
            Providers.open("nio", "thread", IMAGE, told::add).close();
            assertThat(told).containsExactly(
                    "/images/disk.img: backend linux-aio on loop epoll; passed over: io_uring: it runs on io_uring, not on epoll",
                    "/images/disk.img: backend io_uring",
                    "/images/disk.img: backend nio on loop thread");
            FakeProviders.UNAVAILABLE.put("io_uring for an image", "too little locked memory");
            told.clear();
            Providers.open("auto", "io_uring", IMAGE, told::add).close();
            assertThat(told).containsExactly("/images/disk.img: backend linux-aio on loop io_uring; passed over: io_uring: too little locked memory");
            assertThat(log.lines()).as("left to the caller").isEmpty();
            Providers.open("tape", "", IMAGE).close();
            assertThat(log.lines("/images/disk.img: backend tape")).hasSize(1);
            assertThatThrownBy(() -> Providers.open("linux-aio", "thread", IMAGE))
                    .hasMessage("no backend 'linux-aio' can be used; linux-aio: it runs on epoll and io_uring, not on thread");
        }
    }

    @Test
    void shouldTakeALoopThatCanServeGuests() throws IOException {
        try (FakeProviders _ = all()) {
            List<String> told = new ArrayList<>();
            assertThat(Providers.loop("auto", told::add).name()).isEqualTo("io_uring");
            assertThat(Providers.loop("epoll", told::add).name()).isEqualTo("epoll");
            assertThat(told).as("what was taken is the best").isEmpty();
            FakeProviders.UNAVAILABLE.put("loop io_uring", "it is forbidden");
            assertThat(Providers.loop("auto", told::add).name()).isEqualTo("epoll");
            assertThat(told).containsExactly("loop epoll; passed over: io_uring: it is forbidden");
            assertThatThrownBy(() -> Providers.loop("thread", told::add)).hasMessage(
                    "no loop 'thread' can be used; thread: it cannot watch the descriptors that guests kick with; it serves BlockDevice only");
        }
    }

    @Test
    void shouldStartAllLoopsOfOneKindAndCloseThoseOfAKindThatHasTooFew() throws IOException {
        try (FakeProviders _ = all()) {
            List<String> told = new ArrayList<>();
            FakeProviders.UNSTARTABLE.add("io_uring loop-2");
            List<IoLoop> loops = Providers.startLoops("auto", 3, (provider, number) -> provider.start("loop-" + number), told::add);
            assertThat(loops).extracting(IoLoop::name).containsExactly("loop-0", "loop-1", "loop-2");
            assertThat(FakeProviders.STARTED).extracting(started -> started.kind() + " " + started.name() + " " + started.closed())
                    .containsExactly("io_uring loop-0 true", "io_uring loop-1 true", "epoll loop-0 false", "epoll loop-1 false", "epoll loop-2 false");
            assertThat(told).containsExactly("loop epoll; passed over: io_uring: loop-2 cannot be started (made up)");
            assertThatThrownBy(() -> Providers.startLoops("io_uring", 3, (provider, number) -> provider.start("loop-" + number), told::add))
                    .isInstanceOf(IOException.class).hasMessage("loop-2 cannot be started (made up)");
            FakeProviders.UNSTARTABLE.add("epoll loop-0");
            assertThatThrownBy(() -> Providers.startLoops("auto", 3, (provider, number) -> provider.start("loop-" + number), told::add))
                    .hasMessageStartingWith("no loop 'auto' can be used; io_uring: loop-2 cannot be started (made up); epoll: loop-0 cannot");
        }
    }

    @Test
    void shouldStartTheLoopsOfAChoiceOrPassItsLoopsOver() throws IOException {
        try (FakeProviders _ = all()) {
            FakeProviders.UNSTARTABLE.add("io_uring disk-1");
            Providers.Started started = Providers.start("auto", "auto", IMAGE, 2, "disk-");
            assertThat(shown(started.choice())).isEqualTo(
                    "linux-aio on epoll, not [loop io_uring: disk-1 cannot be started (made up), io_uring does not run on loop epoll,"
                            + " io_uring does not run on loop thread, io_uring: no loop 'auto' for it]");
            assertThat(started.loops()).extracting(IoLoop::name).containsExactly("disk-0", "disk-1");
            assertThat(FakeProviders.STARTED).extracting(FakeProviders.StartedLoop::closed).containsExactly(true, false, false);
        }
    }

    private static BlockStage created(String nameAndArguments) throws IOException {
        StageFactory factory = Providers.stage(nameAndArguments);
        List<BlockStage> created = new ArrayList<>();
        try (SimulatedBackend backend = SimulatedBackend.ofSize(512)) {
            BlockPipeline.builder().backend(backend).stage(context -> {
                created.add(factory.create(context));
                return created.getFirst();
            }).build().close();
        }
        return created.getFirst();
    }

    @Test
    void shouldMakeAStageFromNameAndArguments() throws IOException {
        try (FakeProviders _ = all()) {
            assertThat(created("noop").name()).isEqualTo("noop");
            assertThat(created("hop:").name()).isEqualTo("hop");
            assertThatThrownBy(() -> created("hop:a:b"))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("hop").hasMessageContaining("'a:b'");
            assertThat(Providers.stageProvider("hop:a:b")).isInstanceOf(FakeProviders.HopStage.class);
            assertThatThrownBy(() -> Providers.stage(":noop"))
                    .isInstanceOf(IOException.class).hasMessage("there is no stage ''; on the class path: hop, noop");
        }
        try (FakeProviders _ = new FakeProviders(List.of(), List.of(), "com.example.Gone")) {
            assertThatThrownBy(() -> Providers.stage("noop"))
                    .isInstanceOf(IOException.class).hasMessageStartingWith("stage 'noop': a stage on the class path cannot be loaded: ")
                    .hasMessageContaining("com.example.Gone");
        }
    }
}
