/** The borders of all modules. Start with {@link dev.sluice.architecture.ModuleBordersTest}. */
@NullMarked
package dev.sluice.architecture;

import org.jspecify.annotations.NullMarked;
