@NullMarked
package dev.sluice.aio.loop;

import org.jspecify.annotations.NullMarked;
