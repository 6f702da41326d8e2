package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestToolsTest {
    @TempDir
    Path directory;

    @Test
    void shouldNameThePackageOfWhatIsMissing() {
        GuestTools tools = GuestTools.find("amd64", "", Optional.empty());
        assertThat(tools.missing())
                .contains("qemu-system-x86_64 (Debian package qemu-system-x86)", "a Linux kernel for the guest");
        assertThat(tools.advice())
                .containsPattern("apt-get install .*busybox-static.*fio.*qemu-system-x86")
                .contains(GuestKernel.advice());
    }

    @Test
    void shouldMissNothingWhenAllIsThere() throws IOException {
        for (GuestTools.Program program : GuestTools.Program.values()) {
            Path file = Files.createFile(directory.resolve(program.command()));
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
        }
        GuestKernel kernel = new GuestKernel("6.1", directory, directory);
        GuestTools tools = GuestTools.find("amd64", directory.toString(), Optional.of(kernel));
        assertThat(tools.missing()).isEmpty();
        assertThat(tools.advice()).isEmpty();
        assertThat(tools.program(GuestTools.Program.FIO)).isEqualTo(directory.resolve("fio"));
        assertThat(tools.kernel()).isEqualTo(kernel);
    }

    @Test
    void shouldMissTheMachineWhenItIsNoX86() {
        assertThat(GuestTools.find("aarch64", "", Optional.empty()).missing()).contains("an x86-64 machine (this is aarch64)");
    }

    @Test
    void shouldRefuseAMissingProgramWithTheAdvice() {
        GuestTools tools = GuestTools.find("amd64", "", Optional.empty());
        assertThatThrownBy(() -> tools.program(GuestTools.Program.QEMU))
                .isInstanceOf(GuestException.class)
                .hasMessageContaining("apt-get install");
    }
}
