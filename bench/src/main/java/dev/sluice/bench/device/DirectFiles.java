package dev.sluice.bench.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.OpenOption;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Files as the JDK opens them for the peers. Any thread. */
final class DirectFiles {
    private static final int ALIGNMENT = 4096;

    private DirectFiles() {}

    static Set<OpenOption> options(DevicePlan plan) throws IOException {
        Set<OpenOption> options = new HashSet<>(List.of(StandardOpenOption.READ));
        if (!plan.readsOnly()) {
            options.add(StandardOpenOption.WRITE);
        }
        if (plan.direct()) {
            options.add(direct());
        }
        return options;
    }

    /** Looked up by name, because it is not part of the Java standard. */
    private static OpenOption direct() throws IOException {
        try {
            for (Object option : Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants()) {
                if (option.toString().equals("DIRECT")) {
                    return (OpenOption) option;
                }
            }
        } catch (ClassNotFoundException missing) {
            throw new IOException("this JDK has no direct I/O: use --buffered", missing);
        }
        throw new IOException("this JDK has no direct I/O: use --buffered");
    }

    static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocateDirect(bytes + ALIGNMENT).alignedSlice(ALIGNMENT).limit(bytes).slice();
    }
}
