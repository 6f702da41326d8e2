package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.sluice.pipeline.BlockSink;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;

/** Each module's promise that no sink of it goes without {@link BlockSinkContract}: a sink that does makes the build fail. */
public final class SinkContracts {
    /** The contract is about what is kept and found again; this one keeps nothing, and has a test of its own. */
    private static final Set<String> KEEP_NOTHING = Set.of("dev.sluice.aio.nothing.NullSink");

    private SinkContracts() {}

    /**
     * Looks through the compiled classes of the module whose tests are running.
     *
     * @param alsoToBeTested sinks among the tests' own classes that others build upon
     * @return the sinks that are tested
     * @throws AssertionError that names the sinks without a contract test
     */
    @SafeVarargs
    public static Set<String> assertEverySinkIsTested(Class<? extends BlockSink>... alsoToBeTested) {
        return assertEverySinkIsTested(Path.of("target/classes"), Path.of("target/test-classes"), alsoToBeTested);
    }

    /**
     * As {@link #assertEverySinkIsTested(Class[])}, for a module with sinks that keep no data, which no contract about data can be about.
     *
     * @param keepNothing names of their classes, all of which there must be
     */
    public static Set<String> assertEverySinkIsTestedBut(Set<String> keepNothing) {
        return assertTested(Path.of("target/classes"), Path.of("target/test-classes"), keepNothing);
    }

    @SafeVarargs
    static Set<String> assertEverySinkIsTested(Path classes, Path testClasses, Class<? extends BlockSink>... alsoToBeTested) {
        return assertTested(classes, testClasses, Set.of(), alsoToBeTested);
    }

    @SafeVarargs
    private static Set<String> assertTested(Path classes, Path testClasses, Set<String> keepNothing, Class<? extends BlockSink>... alsoToBeTested) {
        assertThat(classes).as("the module's classes").isDirectory();
        Set<String> sinks = new TreeSet<>();
        for (JavaClass type : new ClassFileImporter().importPath(classes)) {
            if (type.isAssignableTo(BlockSink.class) && !type.isInterface() && !type.getModifiers().contains(JavaModifier.ABSTRACT)) {
                sinks.add(type.getName());
            }
        }
        for (Class<? extends BlockSink> type : alsoToBeTested) {
            sinks.add(type.getName());
        }
        assertThat(sinks).as("sinks of the module").containsAll(keepNothing);
        sinks.removeAll(keepNothing);
        Set<String> tested = new TreeSet<>();
        if (Files.isDirectory(testClasses)) {
            for (JavaClass type : new ClassFileImporter().importPath(testClasses)) {
                if (type.isAssignableTo(BlockSinkContract.class) && !type.getModifiers().contains(JavaModifier.ABSTRACT)) {
                    tested.add(sinkOf(type));
                }
            }
        }
        sinks.removeAll(tested);
        sinks.removeAll(KEEP_NOTHING);
        assertThat(sinks).as("sinks without a test that extends BlockSinkContract").isEmpty();
        return tested;
    }

    /** The annotation may be on an abstract class between the contract and the test. */
    private static String sinkOf(JavaClass test) {
        for (JavaClass type = test; type != null; type = type.getRawSuperclass().orElse(null)) {
            if (type.isAnnotatedWith(TestsSink.class)) {
                Object named = type.getAnnotationOfType(TestsSink.class.getName()).get("value").orElseThrow();
                return ((JavaClass) named).getName();
            }
        }
        throw new AssertionError(test.getName() + " does not say which sink it tests: annotate it with @TestsSink");
    }
}
