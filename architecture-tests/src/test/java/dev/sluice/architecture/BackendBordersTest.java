package dev.sluice.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static dev.sluice.architecture.CompiledModules.MAIN;

import org.junit.jupiter.api.Test;

/** The borders between the packages of {@code aio-backends}. */
class BackendBordersTest {
    @Test
    void shouldShowNettyToLoopsAlone() {
        noClasses().that().resideInAPackage("dev.sluice.aio..").and()
                .resideOutsideOfPackages("dev.sluice.aio.netty", "dev.sluice.aio.uring", "dev.sluice.aio.epoll")
                .should().dependOnClassesThat().resideInAPackage("io.netty..")
                .check(MAIN);
    }

    @Test
    void shouldShowEachTransportToOnePackage() {
        noClasses().that().resideOutsideOfPackage("dev.sluice.aio.uring").should().dependOnClassesThat().resideInAPackage("io.netty.channel.uring..")
                .check(MAIN);
        noClasses().that().resideOutsideOfPackage("dev.sluice.aio.epoll").should().dependOnClassesThat().resideInAPackage("io.netty.channel.epoll..")
                .check(MAIN);
    }

    @Test
    void shouldKeepThePortableBackendToTheJdk() {
        noClasses().that().resideInAPackage("dev.sluice.aio.nio..")
                .should().dependOnClassesThat().haveNameMatching("dev\\.sluice\\.(linux\\.(?!Errno$)|aio\\.(raw|uring|loop|sink)\\.).*|io\\.netty\\..*")
                .because("it has to load where there is no Linux")
                .check(MAIN);
    }

    @Test
    void shouldKeepImagesAwayFromRings() {
        noClasses().that().resideInAPackage("dev.sluice.aio.raw..")
                .should().dependOnClassesThat()
                .resideInAnyPackage("dev.sluice.aio.sink..", "dev.sluice.aio.loop..", "dev.sluice.aio.uring..", "dev.sluice.aio.linuxaio..",
                        "dev.sluice.aio.epoll..")
                .check(MAIN);
    }

    @Test
    void shouldKeepWhatIsCommonAwayFromTheKinds() {
        noClasses().that().resideInAnyPackage("dev.sluice.aio.sink..", "dev.sluice.aio.loop..", "dev.sluice.aio.netty..")
                .should().dependOnClassesThat().resideInAnyPackage("dev.sluice.aio.uring..", "dev.sluice.aio.linuxaio..", "dev.sluice.aio.epoll..")
                .check(MAIN);
    }
}
