package dev.sluice.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static dev.sluice.architecture.CompiledModules.MAIN;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What each module may depend on. An arrow that is not here is a mistake, or a decision that belongs into docs/decisions. */
class ModuleBordersTest {
    private static final String DATA_COPY = "dev.sluice.pipeline.DataCopy";
    private static final String TESTING = "dev.sluice.pipeline.testing..";

    @ParameterizedTest
    @ValueSource(strings = {"linux", "pipeline", "device", "aio", "virtio", "metrics", "server", "bench", "examples"})
    void shouldHaveReadEveryModule(String name) {
        assertThat(MAIN).anyMatch(type -> type.getPackageName().startsWith("dev.sluice." + name));
    }

    @Test
    void shouldKeepLinuxToTheJdk() {
        classes().that().resideInAPackage("dev.sluice.linux..")
                .should().onlyDependOnClassesThat().resideInAnyPackage("dev.sluice.linux..", "java..", "org.jspecify..")
                .check(MAIN);
    }

    @Test
    @DisplayName("linux (errno names alone) <- pipeline-api")
    void shouldKeepThePipelineToItsLibraries() {
        classes().that().resideInAPackage("dev.sluice.pipeline..").and().resideOutsideOfPackage(TESTING).and().doNotHaveFullyQualifiedName(DATA_COPY)
                .should().onlyDependOnClassesThat()
                .haveNameMatching(
                        "dev\\.sluice\\.pipeline\\..*|dev\\.sluice\\.linux\\.Errno|(java|reactor|org\\.reactivestreams|org\\.slf4j|org\\.jspecify)\\..*|\\w+|\\[+.*|.*\\[]")
                .because("adapters and backends meet at it")
                .check(MAIN);
    }

    @Test
    @DisplayName("pipeline-api <- testing")
    void shouldKeepFixturesToThePipelineAndTheirFrameworks() {
        classes().that().resideInAPackage(TESTING)
                .should().onlyDependOnClassesThat()
                .resideInAnyPackage("dev.sluice.pipeline..", "dev.sluice.linux..", "java..", "", "reactor..", "org.reactivestreams..", "org.jspecify..",
                        "org.junit..", "org.assertj..", "org.opentest4j..")
                .check(MAIN);
    }

    @Test
    void shouldKeepFixturesOutOfWhatIsShipped() {
        noClasses().that().resideOutsideOfPackage(TESTING).should().dependOnClassesThat().resideInAPackage(TESTING).check(MAIN);
    }

    @Test
    void shouldLetOneClassOfThePipelineAccessMemory() {
        classes().that().haveFullyQualifiedName(DATA_COPY)
                .should().onlyDependOnClassesThat()
                .haveNameMatching("dev\\.sluice\\.(pipeline\\..*|linux\\.(Iovec|NativeMemory))|java\\..*|org\\.jspecify\\..*|byte\\[]|\\w+")
                .because("what it needs works without a system call")
                .check(MAIN);
    }

    @Test
    @DisplayName("pipeline-api <- block-device")
    void shouldKeepBlockDeviceToThePipeline() {
        classes().that().resideInAPackage("dev.sluice.device..")
                .should().onlyDependOnClassesThat()
                .resideInAnyPackage("dev.sluice.device..", "dev.sluice.pipeline..", "dev.sluice.linux..", "java..", "", "reactor..", "org.reactivestreams..",
                        "org.slf4j..", "org.jspecify..")
                .check(MAIN);
    }

    @Test
    void shouldKeepAdaptersAwayFromBackendsAndMetrics() {
        noClasses().that().resideInAPackage("dev.sluice.virtio..")
                .should().dependOnClassesThat()
                .resideInAnyPackage("dev.sluice.aio..", "dev.sluice.device..", "dev.sluice.metrics..", "dev.sluice.server..", "dev.sluice.bench..",
                        "dev.sluice.examples..", "io.netty..", "io.micrometer..")
                .because("adapters and backends meet in the server only")
                .check(MAIN);
    }

    @Test
    void shouldKeepBackendsAwayFromAdaptersAndMetrics() {
        noClasses().that().resideInAPackage("dev.sluice.aio..")
                .should().dependOnClassesThat()
                .resideInAnyPackage("dev.sluice.virtio..", "dev.sluice.device..", "dev.sluice.metrics..", "dev.sluice.server..", "dev.sluice.bench..",
                        "dev.sluice.examples..")
                .because("adapters and backends meet in the server only")
                .check(MAIN);
    }

    @Test
    @DisplayName("pipeline-api <- metrics")
    void shouldKeepMetricsToThePipelineAndMicrometer() {
        classes().that().resideInAPackage("dev.sluice.metrics..")
                .should().onlyDependOnClassesThat()
                .resideInAnyPackage("dev.sluice.metrics..", "dev.sluice.pipeline", "dev.sluice.linux", "io.micrometer..", "io.prometheus..", "org.jspecify..",
                        "java..", "", "jdk.jfr..", "com.sun.management..", "com.sun.net.httpserver..", "org.slf4j..")
                .check(MAIN);
    }

    @Test
    void shouldKeepTheServerFromKnowingWhatAddsToItsCommand() {
        noClasses().that().resideInAPackage("dev.sluice.server..")
                .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.bench..", "dev.sluice.examples..", "dev.sluice.device..")
                .because("subcommands are found by ServiceLoader")
                .check(MAIN);
    }

    @Test
    void shouldKeepBenchAwayFromExamples() {
        noClasses().that().resideInAPackage("dev.sluice.bench..").should().dependOnClassesThat().resideInAPackage("dev.sluice.examples..").check(MAIN);
    }

    @Test
    void shouldKeepExamplesToWhatTheirReadersCanUse() {
        noClasses().that().resideInAPackage("dev.sluice.examples..")
                .should().dependOnClassesThat().resideInAPackage("dev.sluice.bench..")
                .orShould().dependOnClassesThat(resideInAPackage("dev.sluice.server..").and(resideOutsideOfPackage("dev.sluice.server.cli")))
                .because("they are there to be copied: the public API, and the package of command lines")
                .check(MAIN);
    }

    @Test
    void shouldKeepHttpInOnePackage() {
        noClasses().that().resideInAPackage("dev.sluice.metrics..").and().resideOutsideOfPackage("dev.sluice.metrics.http")
                .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.metrics.http", "com.sun.net.httpserver..", "java.net..", "org.slf4j..")
                .check(MAIN);
    }

    /** The limits of this process, which the server has to live with; nothing else of the metrics asks the operating system. */
    @Test
    void shouldAskTheOperatingSystemInOnePackageOfTheMetrics() {
        noClasses().that().resideInAPackage("dev.sluice.metrics..").and().resideOutsideOfPackage("dev.sluice.metrics.http")
                .should().dependOnClassesThat().haveNameMatching("dev\\.sluice\\.linux\\.(?!Errno$).*")
                .check(MAIN);
    }

    @Test
    void shouldKeepNativeCallsInOnePackage() {
        noClasses().that().resideOutsideOfPackage("dev.sluice.linux..")
                .should().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.Linker")
                .orShould().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.SymbolLookup")
                .orShould().dependOnClassesThat().haveFullyQualifiedName("java.lang.invoke.MethodHandle")
                .because("a wrong descriptor is a crash: typed methods in front of every one")
                .check(MAIN);
    }
}
