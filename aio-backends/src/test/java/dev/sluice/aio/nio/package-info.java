/** Tests of the backend that needs nothing but the JDK. */
@NullMarked
package dev.sluice.aio.nio;

import org.jspecify.annotations.NullMarked;
