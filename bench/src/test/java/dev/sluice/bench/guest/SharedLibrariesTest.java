package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class SharedLibrariesTest {
    private static final Path PROGRAM = Path.of("/usr/bin/fio");

    @Test
    void shouldListTheLibrariesAndTheLoader() throws IOException {
        String output =
                """
                \tlinux-vdso.so.1 (0x00007f98c5751000)
                \tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f98c5713000)
                \t/lib64/ld-linux-x86-64.so.2 (0x00007f98c5753000)
                """;
        assertThat(SharedLibraries.parse(PROGRAM, output))
                .containsExactly(Path.of("/lib/x86_64-linux-gnu/libz.so.1"), Path.of("/lib64/ld-linux-x86-64.so.2"));
    }

    @Test
    void shouldListNoneOfAStaticProgram() throws IOException {
        assertThat(SharedLibraries.parse(PROGRAM, "\tnot a dynamic executable\n")).isEmpty();
    }

    @Test
    void shouldRefuseAProgramThatLacksALibrary() {
        assertThatThrownBy(() -> SharedLibraries.parse(PROGRAM, "\tlibaio.so.1 => not found\n"))
                .isInstanceOf(GuestException.class)
                .hasMessageContaining("libaio.so.1");
    }
}
