package dev.sluice.architecture;

import static dev.sluice.architecture.CompiledModules.MAIN;
import static dev.sluice.architecture.CompiledModules.TESTS;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.BlockSinkContract;
import dev.sluice.pipeline.testing.ImageSinkContract;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestsSink;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** No sink goes without {@link BlockSinkContract}, and no sink on images without {@link ImageSinkContract}. */
class SinkContractsTest {
    /** The contract is about what is kept and found again; this one keeps nothing, and has a test of its own. */
    private static final Set<String> KEEP_NOTHING = Set.of("dev.sluice.aio.nullbackend.NullSink");

    @Test
    void shouldHoldEverySinkToTheContractOfSinks() {
        Set<String> sinks = concrete(MAIN, BlockSink.class);
        assertThat(sinks)
                .contains("dev.sluice.aio.uring.UringSink", "dev.sluice.aio.linuxaio.LinuxAioSink", "dev.sluice.aio.nio.NioSink",
                        "dev.sluice.aio.mapped.MappedSink")
                .containsAll(KEEP_NOTHING);
        sinks.add(SimulatedSink.class.getName());
        sinks.removeAll(KEEP_NOTHING);
        assertThat(testedBy(BlockSinkContract.class)).as("sinks with a test that extends BlockSinkContract").containsAll(sinks);
        sinks.removeIf(name -> !name.startsWith("dev.sluice.aio."));
        assertThat(testedBy(ImageSinkContract.class))
                .as("sinks with a test that extends ImageSinkContract")
                .containsAll(sinks)
                .contains(SimulatedSink.class.getName());
    }

    private static Set<String> testedBy(Class<?> contract) {
        Set<String> tested = new TreeSet<>();
        for (String name : concrete(TESTS, contract)) {
            tested.add(sinkOf(TESTS.get(name)));
        }
        return tested;
    }

    private static Set<String> concrete(JavaClasses classes, Class<?> kind) {
        Set<String> names = new TreeSet<>();
        for (JavaClass type : classes) {
            if (type.isAssignableTo(kind.getName()) && !type.isInterface() && !type.getModifiers().contains(JavaModifier.ABSTRACT)) {
                names.add(type.getName());
            }
        }
        return names;
    }

    /** The annotation may be on an abstract class between the contract and the test. */
    private static String sinkOf(JavaClass test) {
        for (JavaClass type = test; type != null; type = type.getRawSuperclass().orElse(null)) {
            if (type.isAnnotatedWith(TestsSink.class.getName())) {
                Object named = type.getAnnotationOfType(TestsSink.class.getName()).get("value").orElseThrow();
                return ((JavaClass) named).getName();
            }
        }
        throw new AssertionError(test.getName() + " does not name the sink it tests: annotate it with @TestsSink");
    }
}
