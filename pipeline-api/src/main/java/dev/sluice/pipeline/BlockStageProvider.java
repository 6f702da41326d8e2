package dev.sluice.pipeline;

import java.io.IOException;

/** Provides a stage for {@code --stage NAME[:ARGS]}; found by name through {@link java.util.ServiceLoader}. Stateless; any thread. */
public interface BlockStageProvider {
    String name();

    /**
     * Creates the stage of one disk, as {@link StageFactory#create} says.
     *
     * @param arguments what followed the colon, or an empty string
     * @throws IllegalArgumentException with a line for the person who wrote the arguments
     */
    BlockStage create(String arguments, StageContext context) throws IOException;
}
