/** Tests of the sink on Linux AIO, on real files. */
@NullMarked
package dev.sluice.aio.linuxaio;

import org.jspecify.annotations.NullMarked;
