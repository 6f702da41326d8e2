package dev.sluice.pipeline;

/** Puts a stage behind {@code --stage NAME[:ARGS]}; found by name through {@link java.util.ServiceLoader}. Stateless; any thread. */
public interface BlockStageProvider {
    String name();

    /**
     * @param arguments what stood behind the colon, or an empty string
     * @throws IllegalArgumentException with a line for the person who wrote the arguments
     */
    BlockStage create(String arguments, BlockGeometry geometry);
}
