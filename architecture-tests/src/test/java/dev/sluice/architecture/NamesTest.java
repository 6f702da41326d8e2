package dev.sluice.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static dev.sluice.architecture.CompiledModules.MAIN;
import static dev.sluice.architecture.CompiledModules.TESTS;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class NamesTest {
    @Test
    void shouldNameClassesAfterWhatTheyAre() {
        for (JavaClasses classes : List.of(MAIN, TESTS)) {
            noClasses().should().haveNameMatching(".*(Impl|Utils?|Manager|Helper)").because("such a name says nothing").check(classes);
        }
    }

    /** An annotation on the package, in main classes or tests. */
    @Test
    void shouldMarkEveryPackage() {
        List<String> unmarked = Stream.of(MAIN, TESTS)
                .flatMap(classes -> classes.stream())
                .map(JavaClass::getPackage)
                .filter(type -> !isNullMarked(type.getName()))
                .map(JavaPackage::getName)
                .distinct()
                .toList();
        assertThat(unmarked).as("packages without @NullMarked").isEmpty();
    }

    private static boolean isNullMarked(String name) {
        return Stream.of(MAIN, TESTS)
                .anyMatch(classes -> classes.containPackage(name) && classes.getPackage(name).isAnnotatedWith("org.jspecify.annotations.NullMarked"));
    }
}
