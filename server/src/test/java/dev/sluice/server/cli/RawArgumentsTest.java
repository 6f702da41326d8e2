package dev.sluice.server.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class RawArgumentsTest {
    @Test
    void shouldShowBytesThatAreNotUtf8AsHexadecimalWhenAnArgumentHasThem() {
        byte[] raw = "a\u00FFb\u00E4".getBytes(ISO_8859_1);
        assertThat(RawArguments.problem(new String[] {"serve", "a\uFFFDb\uFFFD"}, "UTF-8", List.of("java".getBytes(UTF_8), "serve".getBytes(UTF_8), raw)))
                .isEqualTo("argument a\\xffb\\xe4 is not UTF-8: rename the file that it names, paths must be UTF-8");
    }

    @Test
    void shouldAcceptAReplacementCharacterWhenItIsWhatThePersonTyped() {
        String typed = "gr\u00F6\u00DFe\uFFFD";
        assertThat(RawArguments.problem(new String[] {typed}, "UTF-8", List.of(typed.getBytes(UTF_8)))).isNull();
    }

    @Test
    void shouldSayWhichLocaleToTakeWhenTheVirtualMachineHasDecodedItsArgumentsInAnother() {
        byte[] raw = "gr\u00F6\u00DFe.img".getBytes(UTF_8);
        assertThat(RawArguments.problem(new String[] {"gr\uFFFD\uFFFD\uFFFD\uFFFDe.img"}, "ANSI_X3.4-1968", List.of(raw)))
                .contains("gr\u00F6\u00DFe.img", "ANSI_X3.4-1968", "LC_ALL=C.UTF-8");
    }

    @Test
    void shouldShowWhatATerminalWouldActOnAsHexadecimal() {
        assertThat(RawArguments.shown("a\nb\u001B[31m \u00E4\uD83D\uDE00".getBytes(UTF_8))).isEqualTo("a\\x0ab\\x1b[31m \u00E4\uD83D\uDE00");
        assertThat(RawArguments.shown(new byte[] {(byte) 0xE2, (byte) 0x82})).isEqualTo("\\xe2\\x82");
    }
}
