package dev.sluice.metrics;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.sluice.pipeline.testing.SinkContracts;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** The borders of this module. */
class ArchitectureTest {
    private static final JavaClasses MAIN =
            new ClassFileImporter().withImportOption(new ImportOption.DoNotIncludeTests()).importPackages("dev.sluice.metrics");

    @Test
    void shouldSeeOnlyThePipelineAndMicrometer() {
        classes().should().onlyDependOnClassesThat()
                .resideInAnyPackage("dev.sluice.metrics..", "dev.sluice.pipeline", "dev.sluice.linux", "io.micrometer..", "io.prometheus..", "org.jspecify..", "java..", "jdk.jfr..", "com.sun.management..", "com.sun.net.httpserver..", "org.slf4j..")
                .check(MAIN);
    }

    @Test
    void shouldKnowOfHttpInOnePackage() {
        noClasses().that().resideOutsideOfPackage("dev.sluice.metrics.http").should().dependOnClassesThat()
                .resideInAnyPackage("dev.sluice.metrics.http", "com.sun.net.httpserver..", "java.net..", "org.slf4j..")
                .check(MAIN);
    }

    /** The limits of this process, which the server has to live with; nothing else here asks the operating system. */
    @Test
    void shouldAskTheOperatingSystemInOnePackage() {
        noClasses().that().resideOutsideOfPackage("dev.sluice.metrics.http").should().dependOnClassesThat().resideInAPackage("dev.sluice.linux").check(MAIN);
    }

    @Test
    void shouldNameClassesAfterWhatTheyAre() {
        noClasses().should().haveNameMatching(".*(Impl|Utils?|Manager|Helper)").check(MAIN);
    }

    @Test
    void shouldMarkItsPackage() {
        assertThat(MAIN).isNotEmpty().allMatch(type -> type.getPackage().isAnnotatedWith(NullMarked.class));
    }

    @Test
    void shouldHoldEverySinkToTheContractOfSinks() {
        assertThat(SinkContracts.assertEverySinkIsTested()).isEmpty();
    }
}
