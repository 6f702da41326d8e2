package dev.sluice.pipeline;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.syntax.ArchRuleDefinition;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.SinkContracts;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** The borders of this module. */
class ArchitectureTest {
    private static final JavaClasses MAIN =
            new ClassFileImporter().withImportOption(new ImportOption.DoNotIncludeTests()).importPackages("dev.sluice");
    private static final JavaClasses ALL = new ClassFileImporter().importPackages("dev.sluice");

    @Test
    void shouldKeepThePipelineFreeOfAdaptersKernelAndMetrics() {
        ArchRule rule = noClasses().that().resideInAPackage("dev.sluice.pipeline..").and().doNotHaveFullyQualifiedName(DataCopy.class.getName())
                .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.linux..", "dev.sluice.virtio..", "dev.sluice.aio..", "dev.sluice.metrics..", "io.netty..", "io.micrometer..")
                .because("adapters and backends meet at it (DESIGN, Modules)");
        rule.check(MAIN);
    }

    @Test
    void shouldKeepThePipelineToItsThreeLibraries() {
        ArchRule rule = classes().that().resideInAPackage("dev.sluice.pipeline..").and().doNotHaveFullyQualifiedName(DataCopy.class.getName())
                .should().onlyDependOnClassesThat().resideInAnyPackage("dev.sluice.pipeline..", "java..", "reactor..", "org.reactivestreams..", "org.slf4j..", "org.jspecify..");
        rule.check(MAIN);
    }

    @Test
    void shouldLetOneClassOfThePipelineAccessMemory() {
        ArchRule rule = classes().that().haveFullyQualifiedName(DataCopy.class.getName())
                .should().onlyDependOnClassesThat().haveNameMatching("dev\\.sluice\\.(pipeline\\..*|linux\\.(Iovec|NativeMemory))|java\\..*|org\\.jspecify\\..*|byte\\[]")
                .because("what it needs works without a system call");
        rule.check(MAIN);
    }

    @Test
    void shouldKeepDowncallsInOnePackage() {
        ArchRule rule = noClasses().that().resideOutsideOfPackage("dev.sluice.linux..")
                .should().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.Linker")
                .orShould().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.SymbolLookup")
                .orShould().dependOnClassesThat().haveFullyQualifiedName("java.lang.invoke.MethodHandle");
        rule.check(MAIN);
    }

    @Test
    void shouldHoldEverySinkToTheContractOfSinks() {
        assertThat(SinkContracts.assertEverySinkIsTested(SimulatedSink.class)).contains(SimulatedSink.class.getName());
    }

    @Test
    void shouldNameClassesAfterWhatTheyAre() {
        ArchRule rule = ArchRuleDefinition.noClasses()
                .should().haveNameMatching(".*(Impl|Utils?|Manager|Helper)")
                .because("STYLE, Names");
        rule.check(ALL);
    }

    @Test
    void shouldMarkEveryPackage() {
        Set<String> unmarked = ALL.stream()
                .map(type -> type.getPackage())
                .filter(type -> !type.isAnnotatedWith(NullMarked.class))
                .map(JavaPackage::getName)
                .collect(Collectors.toSet());
        assertThat(unmarked).isEmpty();
        assertThat(MAIN.contain(QueueSource.class)).as("the importer has seen the module").isTrue();
    }
}
