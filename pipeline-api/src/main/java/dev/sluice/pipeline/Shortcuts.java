package dev.sluice.pipeline;

/**
 * What a pipeline leaves out to be fast. Each can be turned off, for one reason only: to measure what it is worth.
 *
 * @param bypass a request that no stage is interested in skips them; without, every request but a GET_ID gets its Mono and passes all stages, also
 *     those that said that they need not see it
 * @param pool requests and their iovecs are made once and used again; without, both are allocated for each request of a virtqueue
 * @param batch a tick takes up to a turn's budget of requests, submits them and shows and signals their answers together; without, a
 *     queue takes one request a tick, and every answer is shown and signalled by itself
 */
public record Shortcuts(boolean bypass, boolean pool, boolean batch) {
    /** All of them. */
    public static final Shortcuts ALL = new Shortcuts(true, true, true);

    public Shortcuts withBypass(boolean bypass) {
        return new Shortcuts(bypass, pool, batch);
    }

    public Shortcuts withPool(boolean pool) {
        return new Shortcuts(bypass, pool, batch);
    }

    public Shortcuts withBatch(boolean batch) {
        return new Shortcuts(bypass, pool, batch);
    }
}
