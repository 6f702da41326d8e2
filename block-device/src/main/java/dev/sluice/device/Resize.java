package dev.sluice.device;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.ResizableBackend;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/** A change of the image's size. It may block, so it runs on a thread of Reactor's that may. */
final class Resize {
    private Resize() {}

    private static void resize(ResizableBackend backend, long sizeBytes) throws BlockIoException {
        try {
            backend.resize(sizeBytes);
        } catch (ErrnoException refused) {
            throw new BlockIoException(refused.getMessage(), refused.errno(), refused);
        } catch (IOException refused) {
            throw new BlockIoException(refused.getMessage(), Errno.EIO, refused);
        } catch (IllegalStateException closed) {
            throw new BlockIoException("resize: the block device is closed", Errno.ESHUTDOWN, closed);
        }
    }

    static Mono<BlockGeometry> mono(@Nullable BlockBackend backend, long sizeBytes) {
        if (sizeBytes <= 0 || sizeBytes % BlockRequest.SECTOR_BYTES != 0) {
            return Mono.error(() -> new IllegalArgumentException("size of " + sizeBytes + " bytes is not a positive multiple of 512"));
        }
        if (!(backend instanceof ResizableBackend resizable)) {
            String name = backend == null ? "a given pipeline" : "backend " + backend.name();
            return Mono.error(() -> new BlockIoException(name + " cannot change the size of its image: " + Errno.describe(Errno.EOPNOTSUPP), Errno.EOPNOTSUPP));
        }
        return Mono.fromCallable(() -> {
            resize(resizable, sizeBytes);
            return resizable.geometry();
        })
                .subscribeOn(Schedulers.boundedElastic());
    }
}
