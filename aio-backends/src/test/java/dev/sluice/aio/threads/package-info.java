@NullMarked
package dev.sluice.aio.threads;

import org.jspecify.annotations.NullMarked;
