package dev.sluice.pipeline;

import java.io.IOException;

/** Creates a stage for one disk: what a program gives to the pipeline's builder, and what a {@link BlockStageProvider} makes of its arguments. */
@FunctionalInterface
public interface StageFactory {

    /**
     * Called once, when the pipeline is built, on the thread that builds it; it may block. The stages behind exist already and the chain below can be used.
     *
     * @param context the stage's, until it is closed; its close hooks run also if this throws
     * @throws IOException with one line that names what failed and the remedy
     * @throws IllegalArgumentException with one line about arguments or a disk that the stage cannot serve
     */
    BlockStage create(StageContext context) throws IOException;
}
