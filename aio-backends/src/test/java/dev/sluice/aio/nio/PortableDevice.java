package dev.sluice.aio.nio;

import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** A program that uses a device where only the JDK is to be had: {@link PortabilityTest} runs it in a JVM that takes itself for another system. */
final class PortableDevice {
    private PortableDevice() {}

    public static void main(String[] arguments) throws Exception {
        try (BlockDevice device = BlockDevice.open(Path.of(arguments[0]), BlockDeviceOptions.defaults())) {
            ByteBuffer written = ByteBuffer.allocateDirect(4096);
            for (int i = 0; i < 4096; i++) {
                written.put((byte) i);
            }
            device.write(8192, written.flip()).then(device.flush()).block();
            ByteBuffer read = ByteBuffer.allocateDirect(4096);
            device.read(8192, read).block();
            System.out.println(read.flip().equals(written.flip()) ? "as written" : "not as written");
        }
    }
}
