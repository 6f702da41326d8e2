package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LogTextTest {

    @Test
    void shouldKeepALineALineWhateverAPathHas() {
        assertThat(LogText.escaped("/run/größe disk.sock")).isEqualTo("/run/größe disk.sock");
        assertThat(LogText.escaped("a\nb\r\t\u001B[31m\u0085\u2028\u202Ec\\")).isEqualTo("a\\nb\\r\\t\\x1B[31m\\x85\\u2028\\u202Ec\\");
    }

    /** Controls, line ends, and what turns the direction of writing: the first and the last of each range. */
    @ParameterizedTest
    @ValueSource(ints = {0x00, 0x1F, 0x7F, 0x9F, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202E, 0x2066, 0x2069})
    void shouldEscapeWhatMayChangeHowALineLooks(int c) {
        String expected = c < 0x100 ? String.format("a\\x%02Xb", c) : String.format("a\\u%04Xb", c);
        assertThat(LogText.escaped("a" + (char) c + "b")).isEqualTo(expected);
    }

    /** Their neighbours. */
    @ParameterizedTest
    @ValueSource(ints = {0x20, 0x7E, 0xA0, 0x100, 0x200D, 0x2010, 0x2027, 0x202F, 0x2065, 0x206A})
    void shouldLeaveEverythingElseAsItIs(int c) {
        String text = "a" + (char) c + "b";
        assertThat(LogText.escaped(text)).isSameAs(text);
        assertThat(LogText.escaped(text + "\n")).isEqualTo(text + "\\n");
    }
}
