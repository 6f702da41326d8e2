/** Tests of the loop and the sink on a real ring and real files. Reading order: {@code TestRequest}, {@code SinkFixture}, then any test. */
@NullMarked
package dev.sluice.aio.uring;

import org.jspecify.annotations.NullMarked;
