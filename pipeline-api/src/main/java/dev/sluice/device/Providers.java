package dev.sluice.device;

import dev.sluice.pipeline.BlockBackendProvider;
import dev.sluice.pipeline.IoLoopProvider;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds a backend and the loop for it by name, or takes the first that work. Any thread; set-up only. */
final class Providers {
    private static final Logger LOG = LoggerFactory.getLogger(Providers.class);
    private static final List<String> PREFERRED_BACKENDS = List.of("io_uring", "linux-aio", "nio");
    private static final List<String> PREFERRED_LOOPS = List.of("io_uring", "epoll", "thread");

    private Providers() {}

    /**
     * The backend provider of that name.
     *
     * @throws IOException that says what there is, and why it cannot be used
     */
    static BlockBackendProvider backend(String name) throws IOException {
        return choose("backend", name, PREFERRED_BACKENDS, ServiceLoader.load(BlockBackendProvider.class), BlockBackendProvider::name, BlockBackendProvider::unavailable);
    }

    /** The loop provider of that name; where any will do, the one named as the backend first. */
    static IoLoopProvider loop(String name, String backend) throws IOException {
        List<String> preferred = new ArrayList<>(List.of(backend));
        preferred.addAll(PREFERRED_LOOPS);
        return choose("loop", name, preferred, ServiceLoader.load(IoLoopProvider.class), IoLoopProvider::name, IoLoopProvider::unavailable);
    }

    private static <P> P choose(
            String what, String asked, List<String> preferred, Iterable<P> found, Function<P, String> name, Function<P, Optional<String>> unavailable)
            throws IOException {
        List<P> candidates = new ArrayList<>();
        found.forEach(candidates::add);
        candidates.sort((a, b) -> Integer.compare(rank(preferred, name.apply(a)), rank(preferred, name.apply(b))));
        List<String> passedOver = new ArrayList<>();
        for (P candidate : candidates) {
            String candidateName = name.apply(candidate);
            if (!asked.equals(BlockDeviceOptions.AUTO) && !asked.equals(candidateName)) {
                passedOver.add(candidateName + " was not asked for");
                continue;
            }
            Optional<String> reason = unavailable.apply(candidate);
            if (reason.isEmpty()) {
                LOG.info("{} {}{}", what, candidateName, passedOver.isEmpty() ? "" : "; passed over: " + String.join("; ", passedOver));
                return candidate;
            }
            passedOver.add(candidateName + ": " + reason.get());
        }
        throw new IOException("no " + what + " '" + asked + "' can be used; "
                + (passedOver.isEmpty() ? "none is on the class path: add sluice-aio-backends" : String.join("; ", passedOver)));
    }

    private static int rank(List<String> preferred, String name) {
        int at = preferred.indexOf(name);
        return at < 0 ? preferred.size() : at;
    }
}
