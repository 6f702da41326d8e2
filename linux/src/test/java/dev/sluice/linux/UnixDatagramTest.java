package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(FdLeakCheck.class)
class UnixDatagramTest {
    @TempDir
    Path directory;

    @Test
    void shouldReachASocketAtAPath() throws IOException {
        String path = directory.resolve("notify").toString();
        try (DatagramReceiver receiver = DatagramReceiver.at(path)) {
            assertThat(UnixDatagram.send(path, bytes("READY=1\nSTATUS=ü"))).isEqualTo(17);
            assertThat(receiver.receive()).isEqualTo("READY=1\nSTATUS=ü");
        }
    }

    @Test
    void shouldReachASocketInTheAbstractNamespace() throws IOException {
        String address = "@sluice-test-" + ProcessHandle.current().pid();
        try (DatagramReceiver receiver = DatagramReceiver.at(address)) {
            assertThat(UnixDatagram.send(address, bytes("STOPPING=1"))).isEqualTo(10);
            assertThat(receiver.receive()).isEqualTo("STOPPING=1");
        }
    }

    @Test
    void shouldReturnTheErrnoWhereNobodyListensOrTheAddressIsNone() {
        assertThat(UnixDatagram.send(directory.resolve("nobody").toString(), bytes("x"))).isEqualTo(-Errno.ENOENT);
        assertThat(UnixDatagram.send("relative", bytes("x"))).isEqualTo(-Errno.EINVAL);
        assertThat(UnixDatagram.send("@", bytes("x"))).isEqualTo(-Errno.EINVAL);
        assertThat(UnixDatagram.send("/" + "x".repeat(107), bytes("x"))).isEqualTo(-Errno.ENAMETOOLONG);
    }

    @Test
    void shouldDuplicateADescriptorThatOutlivesTheFirst() throws IOException {
        UnixSocket socket = UnixSocket.create();
        String name = LinuxFile.descriptorName(socket.fd().number());
        try (Fd duplicate = Fd.adopt(LinuxFile.duplicate(socket.fd().number()))) {
            assertThat(duplicate.number()).isNotEqualTo(socket.fd().number());
            socket.close();
            assertThat(LinuxFile.descriptorName(duplicate.number())).isEqualTo(name);
        }
        assertThat(LinuxFile.duplicate(1 << 20)).isEqualTo(-Errno.EBADF);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
