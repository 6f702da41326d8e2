@NullMarked
package dev.sluice.aio.nullbackend;

import org.jspecify.annotations.NullMarked;
