package dev.sluice.pipeline;

/** Whoever sends requests through stages: a queue its guest's, a pool of sub-requests those of the stage above. Loop thread only. */
interface RequestOwner {

    /** What the stages have for its requests. */
    StageScope scope();

    /**
     * A request has its result and nothing below has it any more. Once for each request, in state COMPLETED.
     *
     * @param flags as for {@link PipelineObserver#requestCompleted}
     */
    void completed(BlockRequest request, int result, int flags);
}
