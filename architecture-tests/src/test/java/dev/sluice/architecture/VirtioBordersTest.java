package dev.sluice.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static dev.sluice.architecture.CompiledModules.MAIN;

import org.junit.jupiter.api.Test;

/** The borders between the packages of {@code virtio-adapter}. */
class VirtioBordersTest {
    private static final String[] DEVICE_SIDE = {"dev.sluice.virtio.blk..", "dev.sluice.virtio.queue..", "dev.sluice.virtio.vhostuser.."};

    @Test
    void shouldLetDeviceAndDriverShareLayoutsAlone() {
        noClasses().that().resideInAnyPackage(DEVICE_SIDE)
                .should().dependOnClassesThat().resideInAPackage("dev.sluice.virtio.driver..")
                .because("the two sides test one another")
                .check(MAIN);
        noClasses().that().resideInAPackage("dev.sluice.virtio.driver..")
                .should().dependOnClassesThat().resideInAnyPackage(DEVICE_SIDE)
                .because("the two sides test one another")
                .check(MAIN);
    }

    @Test
    void shouldMirrorTheLayersOfTheSpecification() {
        noClasses().that().resideInAPackage("dev.sluice.virtio.queue..")
                .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.virtio.blk..", "dev.sluice.virtio.vhostuser..")
                .because("a ring knows neither its device nor its transport")
                .check(MAIN);
        noClasses().that().resideInAPackage("dev.sluice.virtio.blk..")
                .should().dependOnClassesThat().resideInAPackage("dev.sluice.virtio.vhostuser..")
                .because("a device does not know its transport")
                .check(MAIN);
        noClasses().that().resideInAPackage("dev.sluice.virtio.layout..")
                .should().dependOnClassesThat()
                .resideInAnyPackage("dev.sluice.virtio.blk..", "dev.sluice.virtio.queue..", "dev.sluice.virtio.vhostuser..", "dev.sluice.virtio.driver..")
                .check(MAIN);
    }
}
