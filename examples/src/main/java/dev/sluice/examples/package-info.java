/**
 * {@code sluice example}: {@link dev.sluice.examples.ExampleCommand} runs the programs of {@code dev.sluice.examples.launcher}, which are there to be copied.
 * They use the libraries' public API, and of the product only the package of command lines.
 */
@NullMarked
package dev.sluice.examples;

import org.jspecify.annotations.NullMarked;
