package dev.sluice.examples.springboot;

import dev.sluice.device.BlockDevice;
import java.nio.ByteBuffer;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import reactor.core.publisher.Mono;

/** Sectors of the disk over HTTP. */
@RestController
class DiskController {
    private static final int SECTOR_BYTES = 512;

    private final BlockDevice device;

    DiskController(BlockDevice device) {
        this.device = device;
    }

    /** The bytes of a sector, read without a thread that waits. */
    @GetMapping(path = "/sectors/{sector}", produces = "application/octet-stream")
    Mono<byte[]> sector(@PathVariable long sector) {
        return Mono.defer(() -> {
            ByteBuffer bytes = ByteBuffer.allocateDirect(SECTOR_BYTES);
            return device.read(sector * SECTOR_BYTES, bytes).map(length -> {
                byte[] content = new byte[length];
                bytes.flip().get(content);
                return content;
            });
        });
    }
}
