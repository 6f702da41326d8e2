package dev.sluice.aio;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import dev.sluice.pipeline.testing.SinkContracts;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The borders of this module, and what its sinks are held to. */
@AnalyzeClasses(packages = "dev.sluice.aio", importOptions = ImportOption.DoNotIncludeTests.class)
class AioArchitectureTest {
    @ArchTest
    static final ArchRule NETTY_IS_SEEN_BY_LOOPS = noClasses()
            .that().resideOutsideOfPackages("dev.sluice.aio.netty", "dev.sluice.aio.uring", "dev.sluice.aio.epoll")
            .should().dependOnClassesThat().resideInAPackage("io.netty..");

    @ArchTest
    static final ArchRule THE_RING_TRANSPORT_IS_SEEN_BY_ONE_PACKAGE = noClasses()
            .that().resideOutsideOfPackage("dev.sluice.aio.uring")
            .should().dependOnClassesThat().resideInAPackage("io.netty.channel.uring..");

    @ArchTest
    static final ArchRule THE_EPOLL_TRANSPORT_IS_SEEN_BY_ONE_PACKAGE = noClasses()
            .that().resideOutsideOfPackage("dev.sluice.aio.epoll")
            .should().dependOnClassesThat().resideInAPackage("io.netty.channel.epoll..");

    @ArchTest
    static final ArchRule BACKENDS_KNOW_NO_ADAPTER = noClasses()
            .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.virtio..", "dev.sluice.metrics..", "dev.sluice.examples..");

    @ArchTest
    static final ArchRule THE_PORTABLE_BACKEND_NEEDS_THE_JDK_ALONE = noClasses()
            .that().resideInAPackage("dev.sluice.aio.nio..")
            .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.linux..", "io.netty..", "dev.sluice.aio.raw..", "dev.sluice.aio.uring..", "dev.sluice.aio.loop..", "dev.sluice.aio.sink..")
            .because("it has to load where there is no Linux");

    @ArchTest
    static final ArchRule IMAGES_KNOW_NO_RING = noClasses()
            .that().resideInAPackage("dev.sluice.aio.raw..")
            .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.aio.sink..", "dev.sluice.aio.loop..", "dev.sluice.aio.uring..", "dev.sluice.aio.linuxaio..", "dev.sluice.aio.epoll..");

    @ArchTest
    static final ArchRule WHAT_IS_COMMON_KNOWS_NO_KIND = noClasses()
            .that().resideInAnyPackage("dev.sluice.aio.sink..", "dev.sluice.aio.loop..", "dev.sluice.aio.netty..")
            .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.aio.uring..", "dev.sluice.aio.linuxaio..", "dev.sluice.aio.epoll..");

    @ArchTest
    static final ArchRule NATIVE_CALLS_BELONG_TO_THE_LINUX_PACKAGE = noClasses()
            .should().dependOnClassesThat().haveFullyQualifiedName("java.lang.invoke.MethodHandle")
            .orShould().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.Linker")
            .orShould().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.SymbolLookup");

    @Test
    void shouldHoldEverySinkToTheContractOfSinks() {
        assertThat(SinkContracts.assertEverySinkIsTestedBut(Set.of("dev.sluice.aio.nothing.NullSink"))).isNotEmpty();
    }
}
