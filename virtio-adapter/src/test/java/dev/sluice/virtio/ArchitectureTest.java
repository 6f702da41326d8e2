package dev.sluice.virtio;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import dev.sluice.pipeline.testing.SinkContracts;
import org.junit.jupiter.api.Test;

/** The borders of the module and of its packages. */
@AnalyzeClasses(packages = "dev.sluice.virtio", importOptions = ImportOption.DoNotIncludeTests.class)
final class ArchitectureTest {
    private static final String[] DEVICE_SIDE = {"dev.sluice.virtio.blk..", "dev.sluice.virtio.queue..", "dev.sluice.virtio.vhostuser.."};

    @ArchTest
    static final ArchRule meetsNoBackendAndNoMetrics = noClasses()
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.sluice.aio..", "dev.sluice.metrics..", "dev.sluice.examples..", "io.netty..", "io.micrometer..")
            .because("adapters and backends meet in examples only");

    @ArchTest
    static final ArchRule deviceSideKnowsNoDriver = noClasses()
            .that()
            .resideInAnyPackage(DEVICE_SIDE)
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.sluice.virtio.driver..")
            .because("the two sides test one another and share the wire layouts only");

    @ArchTest
    static final ArchRule driverKnowsNoDeviceSide = noClasses()
            .that()
            .resideInAPackage("dev.sluice.virtio.driver..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(DEVICE_SIDE)
            .because("the two sides test one another and share the wire layouts only");

    @ArchTest
    static final ArchRule layersMirrorTheSpecification = noClasses()
            .that()
            .resideInAPackage("dev.sluice.virtio.queue..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.sluice.virtio.blk..", "dev.sluice.virtio.vhostuser..")
            .because("a ring knows neither its device nor its transport");

    @ArchTest
    static final ArchRule deviceKnowsNoTransport = noClasses()
            .that()
            .resideInAPackage("dev.sluice.virtio.blk..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.sluice.virtio.vhostuser..")
            .because("a device does not know who brought its rings");

    @ArchTest
    static final ArchRule layoutsKnowNobody = noClasses()
            .that()
            .resideInAPackage("dev.sluice.virtio.layout..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.sluice.virtio.blk..", "dev.sluice.virtio.queue..", "dev.sluice.virtio.vhostuser..", "dev.sluice.virtio.driver..");

    @ArchTest
    static final ArchRule callsLibcThroughItsPackageOnly = noClasses()
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.foreign.Linker")
            .orShould()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.invoke.MethodHandle")
            .because("method handles into native code live in dev.sluice.linux");

    @Test
    void shouldHoldEverySinkToTheContractOfSinks() {
        assertThat(SinkContracts.assertEverySinkIsTested()).isEmpty();
    }
}
