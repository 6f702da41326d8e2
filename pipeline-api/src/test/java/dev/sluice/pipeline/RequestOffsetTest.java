package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import org.junit.jupiter.api.Test;

/** Where requests of a large disk are: sectors and bytes are 64 bits wide. */
class RequestOffsetTest {
    @Test
    void shouldCountBytesBeyond2And4GiB() {
        try (ManualLoop loop = new ManualLoop()) {
            for (long sector : new long[] {0, 1, (1L << 22) - 1, 1L << 22, (1L << 23) - 1, (1L << 23) + 7, 1L << 31, 1L << 32, (1L << 54) - 1}) {
                BareRequest request = new BareRequest(loop, 0, 0).parse(BlockOp.READ, sector);
                assertThat(request.sector()).isEqualTo(sector);
                assertThat(request.offsetBytes()).isEqualTo(Math.multiplyExact(sector, 512L));
            }
        }
    }

    @Test
    void shouldCountLengthsBeyond4GiB() {
        try (ManualLoop loop = new ManualLoop()) {
            for (long bytes : new long[] {512, 1L << 31, (1L << 32) + 512, 1L << 40}) {
                assertThat(new BareRequest(loop, 0, 0).parse(BlockOp.DISCARD, bytes, 0, 0).lengthBytes()).isEqualTo(bytes);
            }
        }
    }
}
