package dev.sluice.aio.mapped;

import dev.sluice.aio.image.ImageBackend;
import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;

/** A mapped image, copied from and to by its loops. <b>Threading</b>, <b>Ownership:</b> as {@link ImageBackend} says. */
final class MappedBackend extends ImageBackend<MappedImage> {
    private final int sinkCapacity;
    private final CompletionSeam seam;

    MappedBackend(MappedImage image, int sinkCapacity, CompletionSeam seam) {
        super(MappedBackendProvider.NAME, image);
        this.sinkCapacity = sinkCapacity;
        this.seam = seam;
    }

    MappedImage mappedImage() {
        return image();
    }

    @Override
    protected BlockSink makeSink(IoLoop loop) {
        if (!(loop instanceof TickLoop tickLoop)) {
            throw new IllegalArgumentException(
                    "the mapped backend needs an io_uring or epoll loop; " + loop.name() + " is a " + loop.getClass().getSimpleName());
        }
        tickLoop.assertInLoop();
        return MappedSink.open(tickLoop, image(), sinkCapacity, seam, this::sinkClosed);
    }
}
