/** The borders of the module, as rules that the build checks. */
@NullMarked
package dev.sluice.aio;

import org.jspecify.annotations.NullMarked;
