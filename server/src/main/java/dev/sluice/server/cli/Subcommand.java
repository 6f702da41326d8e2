package dev.sluice.server.cli;

import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/**
 * A part of the {@code sluice} command, such as {@code serve}: a public class with picocli's {@code Command} annotation and a public constructor without
 * parameters. Found by {@link ServiceLoader}, so that the command knows no module that adds to it.
 *
 * <p><b>Threading:</b> created and run by the thread of {@code main}.
 */
public interface Subcommand {
    /** Place in the list of commands that {@code --help} shows, ascending. */
    int helpOrder();

    /** All subcommands of the class path, in their order. */
    static List<Subcommand> installed() {
        return ServiceLoader.load(Subcommand.class).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparingInt(Subcommand::helpOrder))
                .toList();
    }
}
