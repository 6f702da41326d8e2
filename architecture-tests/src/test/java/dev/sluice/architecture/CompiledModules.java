package dev.sluice.architecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The compiled classes of all modules, read once. */
final class CompiledModules {
    /** What is shipped. */
    static final JavaClasses MAIN = read("target/classes");
    /** The tests of all modules. */
    static final JavaClasses TESTS = read("target/test-classes");

    private CompiledModules() {}

    private static JavaClasses read(String directory) {
        return new ClassFileImporter().importPaths(directories(directory));
    }

    private static List<Path> directories(String name) {
        try (Stream<Path> modules = Files.list(Path.of(".."))) {
            return modules.filter(module -> Files.exists(module.resolve("pom.xml"))).map(module -> module.resolve(name)).filter(Files::isDirectory).sorted()
                    .toList();
        } catch (IOException failed) {
            throw new UncheckedIOException("cannot list the modules", failed);
        }
    }
}
