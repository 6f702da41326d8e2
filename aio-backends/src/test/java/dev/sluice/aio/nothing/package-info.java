@NullMarked
package dev.sluice.aio.nothing;

import org.jspecify.annotations.NullMarked;
