package dev.sluice.server;

import dev.sluice.server.cli.Subcommand;
import java.io.PrintWriter;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Prints the script with which a shell completes commands and options. */
@Command(
        name = "completion",
        mixinStandardHelpOptions = true,
        description = "Print a completion script for bash and zsh.",
        footer = {
            "",
            "For the running shell, bash or zsh:  source <(sluice completion)",
            "For every new shell:",
            "  bash  sluice completion >~/.local/share/bash-completion/completions/sluice",
            "  zsh   add to ~/.zshrc:  autoload -U compinit && compinit",
            "                                  source <(sluice completion)"
        })
public final class CompletionCommand implements Runnable, Subcommand {
    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public CompletionCommand() {}

    @Override
    public int helpOrder() {
        return 60;
    }

    @Override
    public void run() {
        CommandSpec root = spec.root();
        PrintWriter out = spec.commandLine().getOut();
        out.print(AutoComplete.bash(root.name(), root.commandLine()));
        out.flush();
    }
}
