package dev.sluice.pipeline;

import java.util.function.LongSupplier;

/**
 * A number that a stage publishes, for whoever exports metrics.
 *
 * @param stage name of the stage
 * @param place place of the stage among those of the disk, 0 for the one that sees requests first
 * @param name as the stage chose it: lower case, with dots
 * @param description one sentence for people
 * @param counter true if the value only grows
 * @param value the present value; any thread
 */
public record StageMeter(String stage, int place, String name, String description, boolean counter, LongSupplier value) {}
