package dev.sluice.examples.disk;

import dev.sluice.examples.cli.LaunchException;
import dev.sluice.pipeline.BlockBackendProvider;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStageProvider;
import java.util.ServiceLoader;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Finds backends and stages on the class path by the names that the command line uses. Any thread. */
final class Providers {
    private Providers() {}

    /**
     * The backend of a name, able to work here.
     *
     * @throws LaunchException where there is none of that name, or it says why it cannot work on this machine
     */
    static BlockBackendProvider backend(String name) {
        BlockBackendProvider provider = named("backend", name, BlockBackendProvider.class, BlockBackendProvider::name);
        provider.unavailable().ifPresent(why -> {
            throw new LaunchException("backend " + name + ": " + why);
        });
        return provider;
    }

    /** A stage from {@code NAME[:ARGS]}. */
    static BlockStage stage(String nameAndArguments, BlockGeometry geometry) {
        int colon = nameAndArguments.indexOf(':');
        String name = colon < 0 ? nameAndArguments : nameAndArguments.substring(0, colon);
        String arguments = colon < 0 ? "" : nameAndArguments.substring(colon + 1);
        return named("stage", name, BlockStageProvider.class, BlockStageProvider::name).create(arguments, geometry);
    }

    private static <P> P named(String kind, String name, Class<P> type, Function<P, String> nameOf) {
        ServiceLoader<P> found = ServiceLoader.load(type);
        for (P provider : found) {
            if (nameOf.apply(provider).equals(name)) {
                return provider;
            }
        }
        String known = found.stream().map(provider -> nameOf.apply(provider.get())).sorted().collect(Collectors.joining(", "));
        throw new LaunchException("there is no " + kind + " '" + name + "'; on the class path: " + (known.isEmpty() ? "none" : known));
    }
}
