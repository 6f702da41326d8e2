package dev.sluice.pipeline;

import java.util.function.LongSupplier;

/**
 * A number that a stage publishes, for whoever exports metrics.
 *
 * @param stage name of the stage
 * @param name as the stage chose it: lower case, with dots
 * @param description one sentence for people
 * @param counter true if the value only grows
 * @param value the present value; any thread
 */
public record StageMeter(String stage, String name, String description, boolean counter, LongSupplier value) {}
