package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class GuestScriptTest {
    @Test
    void shouldSetAVariableAsTheShellReadsItBack() throws Exception {
        String value = "it's \"$HOME\" `x`\nand a line";
        String script = new GuestScript("printf %s \"$VALUE\"").with("VALUE", value).text();
        byte[] output = HostCommand.run(List.of("sh", "-c", script));
        assertThat(new String(output, StandardCharsets.UTF_8)).isEqualTo(value);
    }

    @Test
    void shouldRefuseANameThatIsNone() {
        assertThatThrownBy(() -> new GuestScript("").with("A=B; C", 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldRefuseAScriptThatIsNotThere() {
        assertThatThrownBy(() -> GuestScript.resource(GuestScriptTest.class, "none.sh"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("none.sh");
    }

    @Test
    void shouldCarryTheSeedOfTheDemo() {
        assertThat(GuestScript.demo(4, 5, 42).text()).contains("SEED='42'", "JOBS='4'", "--verify=crc32c");
    }
}
