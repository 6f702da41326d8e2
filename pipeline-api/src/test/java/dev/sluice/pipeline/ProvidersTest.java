package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Without any provider on the class path; {@code ProvidersChoiceTest} of the backends' module has them. */
class ProvidersTest {
    private static final BlockGeometry DISK = new BlockGeometry(1 << 20, 512, 512, 0, false, false, false);

    @Test
    void shouldSayWhatToAddWhereThereIsNothing() {
        assertThatThrownBy(() -> Providers.choose(Providers.AUTO, Providers.AUTO))
                .isInstanceOf(IOException.class)
                .hasMessage("no backend 'auto' with loop 'auto' can be used; none is on the class path: add sluice-aio-backends");
        assertThatThrownBy(() -> Providers.loop("io_uring", told -> {})).isInstanceOf(IOException.class).hasMessageContaining("no loop 'io_uring'");
        assertThatThrownBy(() -> Providers.open("tape", "", BackendOptions.of(Path.of("/nowhere")))).isInstanceOf(IOException.class).hasMessageContaining("no backend 'tape'");
        assertThatThrownBy(() -> Providers.stage("xts:key", DISK)).isInstanceOf(IOException.class).hasMessageStartingWith("there is no stage 'xts'; on the class path: ").hasMessageContaining("noop");
    }
}
