package dev.sluice.pipeline;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds backends, loops and stages on the class path by name, or takes the best that works here: the backend with the highest
 * {@link BlockBackendProvider#preference}, and of the loops that it runs on the first in its own order, then by {@link IoLoopProvider#preference}. One log line
 * says what was taken and why the others were not.
 *
 * <p><b>Threading:</b> any thread; set-up only. <b>Failure:</b> {@link IOException} with one line that says what there is and why it cannot be used.
 */
public final class Providers {
    /** Stands for the best that works here. */
    public static final String AUTO = "auto";

    private static final Logger LOG = LoggerFactory.getLogger(Providers.class);

    private Providers() {}

    /**
     * A backend and the loop to run it on.
     *
     * @param passedOver what would have been taken before them, and why it was not
     */
    public record Choice(BlockBackendProvider backend, IoLoopProvider loop, List<String> passedOver) {
        public Choice {
            passedOver = List.copyOf(passedOver);
        }

        /** Opens an image with the backend, and logs what was taken. */
        public BlockBackend open(BackendOptions options) throws IOException {
            BlockBackend opened = backend.open(options);
            LOG.info(line(options.image() + ": backend " + backend.name() + " on loop " + loop.name(), passedOver));
            return opened;
        }
    }

    /**
     * A backend and a loop that fit one another, for a program's own use.
     *
     * @param backend a name or {@value #AUTO}
     * @param loop a name or {@value #AUTO}
     */
    public static Choice choose(String backend, String loop) throws IOException {
        return choose(backend, loop, BlockBackendProvider::unavailable);
    }

    /** As {@link #choose(String, String)}, for an image: a backend that has too little left for what the options ask is passed over. */
    public static Choice choose(String backend, String loop, BackendOptions options) throws IOException {
        return choose(backend, loop, provider -> provider.unavailable(options));
    }

    /**
     * A choice with its loops, which run.
     *
     * @param loops the caller's, who closes them
     */
    public record Started(Choice choice, List<IoLoop> loops) {
        public Started {
            loops = List.copyOf(loops);
        }
    }

    /**
     * As {@link #choose(String, String, BackendOptions)}, and starts the loops. A kind of which not every loop can be made is passed over: what was tried
     * before is less than what the loops take, of locked memory for instance.
     *
     * @param count of loops
     * @param loopNames of which a number makes a name
     */
    public static Started start(String backend, String loop, BackendOptions options, int count, String loopNames) throws IOException {
        Map<String, String> failed = new LinkedHashMap<>();
        while (true) {
            Choice choice = choose(backend, loop, provider -> provider.unavailable(options), failed);
            try {
                return new Started(choice, started(count, number -> choice.loop().start(loopNames + number)));
            } catch (IOException refused) {
                failed.put(choice.loop().name(), String.valueOf(refused.getMessage()));
            }
        }
    }

    /** Starts the loop of a number, from 0. */
    @FunctionalInterface
    public interface LoopStarter {
        IoLoop start(IoLoopProvider provider, int number) throws IOException;
    }

    @FunctionalInterface
    private interface NumberedStart {
        IoLoop start(int number) throws IOException;
    }

    /**
     * Starts loops that can serve guests, all of one kind. With {@value #AUTO} a kind of which not every loop can be made is passed over.
     *
     * @param name of the kind or {@value #AUTO}
     * @param log gets the line that says what was taken, where that is not the best
     * @throws IOException with one line that says why none can be had; no loop is left running
     */
    public static List<IoLoop> startLoops(String name, int count, LoopStarter starter, Consumer<String> log) throws IOException {
        Map<String, String> failed = new LinkedHashMap<>();
        while (true) {
            List<String> lines = new ArrayList<>();
            IoLoopProvider provider = loop(name, lines::add, failed);
            try {
                List<IoLoop> loops = started(count, number -> starter.start(provider, number));
                lines.forEach(log);
                return loops;
            } catch (IOException refused) {
                if (!name.equals(AUTO)) {
                    throw refused;
                }
                failed.put(provider.name(), String.valueOf(refused.getMessage()));
            }
        }
    }

    private static List<IoLoop> started(int count, NumberedStart start) throws IOException {
        List<IoLoop> loops = new ArrayList<>();
        try {
            for (int number = 0; number < count; number++) {
                loops.add(start.start(number));
            }
            return List.copyOf(loops);
        } catch (Throwable refused) {
            loops.forEach(IoLoop::close);
            throw refused;
        }
    }

    /** What was found out by trying comes before what the provider says. */
    private static Optional<String> unavailable(IoLoopProvider loop, Map<String, String> failed) {
        return Optional.ofNullable(failed.get(loop.name())).or(loop::unavailable);
    }

    private static Choice choose(String backend, String loop, Function<BlockBackendProvider, Optional<String>> unavailable) throws IOException {
        return choose(backend, loop, unavailable, Map.of());
    }

    private static Choice choose(
            String backend, String loop, Function<BlockBackendProvider, Optional<String>> unavailable, Map<String, String> failedLoops) throws IOException {
        List<String> passedOver = new ArrayList<>();
        for (BlockBackendProvider candidate : backends()) {
            if (!usable(candidate, backend, unavailable, passedOver)) {
                continue;
            }
            Optional<IoLoopProvider> fitting = loopFor(candidate, loop, passedOver, failedLoops);
            if (fitting.isPresent()) {
                return new Choice(candidate, fitting.get(), passedOver);
            }
        }
        throw nothing("backend '" + backend + "' with loop '" + loop + "'", passedOver);
    }

    private static Optional<IoLoopProvider> loopFor(BlockBackendProvider backend, String asked, List<String> passedOver, Map<String, String> failed) {
        for (IoLoopProvider candidate : loops(backend.loops())) {
            if (!asked.equals(AUTO) && !asked.equals(candidate.name())) {
                continue;
            }
            if (!fits(backend, candidate.name())) {
                passedOver.add(backend.name() + " does not run on loop " + candidate.name());
                continue;
            }
            Optional<String> reason = unavailable(candidate, failed);
            if (reason.isEmpty()) {
                return Optional.of(candidate);
            }
            passedOver.add("loop " + candidate.name() + ": " + reason.get());
        }
        passedOver.add(backend.name() + ": no loop '" + asked + "' for it");
        return Optional.empty();
    }

    /**
     * A loop that can serve guests.
     *
     * @param name or {@value #AUTO}
     * @param log gets the line that says what was taken, where that is not the best
     */
    public static IoLoopProvider loop(String name, Consumer<String> log) throws IOException {
        return loop(name, log, Map.of());
    }

    private static IoLoopProvider loop(String name, Consumer<String> log, Map<String, String> failed) throws IOException {
        List<String> passedOver = new ArrayList<>();
        for (IoLoopProvider candidate : loops(List.of())) {
            if (!name.equals(AUTO) && !name.equals(candidate.name())) {
                continue;
            }
            Optional<String> reason = candidate.watches()
                    ? unavailable(candidate, failed)
                    : Optional.of("it cannot watch the descriptors that guests kick with; it serves BlockDevice only");
            if (reason.isEmpty()) {
                if (!passedOver.isEmpty()) {
                    log.accept(line("loop " + candidate.name(), passedOver));
                }
                return candidate;
            }
            passedOver.add(candidate.name() + ": " + reason.get());
        }
        throw nothing("loop '" + name + "'", passedOver);
    }

    /**
     * Opens an image with a backend that runs on a loop, and logs what was taken.
     *
     * @param name or {@value #AUTO}
     * @param loop {@link IoLoop#kind} of the loop that there is; where that is empty, any backend is taken to run on it
     */
    public static BlockBackend open(String name, String loop, BackendOptions options) throws IOException {
        return open(name, loop, options, LOG::info);
    }

    /**
     * Opens an image as {@link #open(String, String, BackendOptions)} does, and leaves it to the caller to log what was taken: once nothing can fail
     * any more, say.
     *
     * @param log gets the line
     */
    public static BlockBackend open(String name, String loop, BackendOptions options, Consumer<String> log) throws IOException {
        List<String> passedOver = new ArrayList<>();
        for (BlockBackendProvider candidate : backends()) {
            if (!usable(candidate, name, provider -> provider.unavailable(options), passedOver)) {
                continue;
            }
            if (fits(candidate, loop)) {
                BlockBackend opened = candidate.open(options);
                log.accept(line(options.image() + ": backend " + candidate.name() + (loop.isEmpty() ? "" : " on loop " + loop), passedOver));
                return opened;
            }
            passedOver.add(candidate.name() + ": it runs on " + String.join(" and ", candidate.loops()) + ", not on " + loop);
        }
        throw nothing("backend '" + name + "'", passedOver);
    }

    /**
     * The stage of {@code NAME[:ARGS]}, to be created with a pipeline.
     *
     * @throws IOException if there is none of that name, or if a provider on the class path cannot be loaded
     */
    public static StageFactory stage(String nameAndArguments) throws IOException {
        int colon = nameAndArguments.indexOf(':');
        String arguments = colon < 0 ? "" : nameAndArguments.substring(colon + 1);
        BlockStageProvider provider = stageProvider(nameAndArguments);
        return context -> provider.create(arguments, context);
    }

    /**
     * Who makes the stage of {@code NAME[:ARGS]}; to be asked before anything is given up for it.
     *
     * @throws IOException if there is none of that name, or where a provider on the class path cannot be loaded
     */
    public static BlockStageProvider stageProvider(String nameAndArguments) throws IOException {
        int colon = nameAndArguments.indexOf(':');
        String name = colon < 0 ? nameAndArguments : nameAndArguments.substring(0, colon);
        try {
            ServiceLoader<BlockStageProvider> found = ServiceLoader.load(BlockStageProvider.class);
            for (BlockStageProvider provider : found) {
                if (provider.name().equals(name)) {
                    return provider;
                }
            }
            String known = found.stream().map(provider -> provider.get().name()).sorted().collect(Collectors.joining(", "));
            throw new IOException("there is no stage '" + name + "'; on the class path: " + (known.isEmpty() ? "none" : known));
        } catch (ServiceConfigurationError broken) {
            throw new IOException("stage '" + name + "': a stage on the class path cannot be loaded: " + broken.getMessage(), broken);
        }
    }

    private static boolean usable(
            BlockBackendProvider candidate, String asked, Function<BlockBackendProvider, Optional<String>> unavailable, List<String> passedOver) {
        if (!asked.equals(AUTO) && !asked.equals(candidate.name())) {
            return false;
        }
        Optional<String> reason = unavailable.apply(candidate);
        reason.ifPresent(why -> passedOver.add(candidate.name() + ": " + why));
        return reason.isEmpty();
    }

    private static boolean fits(BlockBackendProvider backend, String loop) {
        return loop.isEmpty() || backend.loops().isEmpty() || backend.loops().contains(loop);
    }

    private static List<BlockBackendProvider> backends() {
        List<BlockBackendProvider> found = new ArrayList<>();
        ServiceLoader.load(BlockBackendProvider.class).forEach(found::add);
        found.sort(Comparator.comparingInt(BlockBackendProvider::preference).reversed());
        return found;
    }

    /** Those that a backend prefers first, then by their own preference. */
    private static List<IoLoopProvider> loops(List<String> preferred) {
        List<IoLoopProvider> found = new ArrayList<>();
        ServiceLoader.load(IoLoopProvider.class).forEach(found::add);
        found.sort(Comparator.comparingInt((IoLoopProvider provider) -> rank(preferred, provider.name()))
                .thenComparing(Comparator.comparingInt(IoLoopProvider::preference).reversed()));
        return found;
    }

    private static int rank(List<String> preferred, String name) {
        int at = preferred.indexOf(name);
        return at < 0 ? preferred.size() : at;
    }

    private static String line(String taken, List<String> passedOver) {
        return taken + (passedOver.isEmpty() ? "" : "; passed over: " + String.join("; ", passedOver));
    }

    private static IOException nothing(String asked, List<String> passedOver) {
        List<String> known = new ArrayList<>();
        backends().forEach(provider -> known.add("backend " + provider.name()));
        loops(List.of()).forEach(provider -> known.add("loop " + provider.name()));
        String there = known.isEmpty() ? "none is on the class path: add a module that has some" : "on the class path: " + String.join(", ", known);
        return new IOException("no " + asked + " can be used; " + (passedOver.isEmpty() ? there : String.join("; ", passedOver)));
    }
}
