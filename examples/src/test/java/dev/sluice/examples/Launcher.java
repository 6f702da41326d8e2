package dev.sluice.examples;

import dev.sluice.server.SluiceProcess;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** The scripts that people start, each in a directory that looks like a built checkout or an unpacked archive, around the classes of this test's class path. */
enum Launcher {
    CHECKOUT("sluice") {
        @Override
        void install(Path home, List<Path> jars) throws IOException {
            copy(SOURCES.resolve("sluice"), home.resolve("sluice"));
            Path target = Files.createDirectories(home.resolve("target"));
            Files.createDirectories(target.resolve("lib"));
            Path options = Files.createDirectories(home.resolve(RESOURCES));
            for (String name : List.of("jvm.options", "launch.sh")) {
                copy(SOURCES.resolve(RESOURCES).resolve(name), options.resolve(name));
            }
            link(target.resolve("lib"), jars);
            unpackLibraries(Files.createDirectories(target.resolve("native")), jars);
            Files.createFile(home.resolve("pom.xml"));
            Files.createFile(target.resolve(".built"));
        }
    },
    ARCHIVE("bin/sluice") {
        @Override
        void install(Path home, List<Path> jars) throws IOException {
            Path bin = Files.createDirectories(home.resolve("bin"));
            copy(SOURCES.resolve("dist/src/main/sh/sluice"), bin.resolve("sluice"));
            Files.createSymbolicLink(bin.resolve("java"), Path.of(System.getProperty("java.home"), "bin/java"));
            Path options = Files.createDirectories(home.resolve("conf"));
            for (String name : List.of("jvm.options", "launch.sh")) {
                copy(SOURCES.resolve(RESOURCES).resolve(name), options.resolve(name));
            }
            link(Files.createDirectories(home.resolve("lib/sluice")), jars);
        }
    };

    static final Path SOURCES = Path.of("..").toAbsolutePath().normalize();
    private static final String RESOURCES = "server/src/main/resources/dev/sluice/server";
    private static final long LIMIT_SECONDS = 120;

    final String script;

    Launcher(String script) {
        this.script = script;
    }

    abstract void install(Path home, List<Path> jars) throws IOException;

    /** Makes the installation; what of the class path is a directory is left to SLUICE_CLASSPATH. */
    void install(Path home) throws IOException {
        install(Files.createDirectories(home), classPath().stream().filter(Files::isRegularFile).toList());
    }

    static List<Path> classPath() {
        List<Path> entries = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(":", -1)) {
            Path path = Path.of(entry).toAbsolutePath();
            // The test's own classes are none of the command's.
            if (!entry.isEmpty() && Files.exists(path) && !entry.contains("test-classes")) {
                entries.add(path);
            }
        }
        return entries;
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.copy(from, to, StandardCopyOption.COPY_ATTRIBUTES);
    }

    private static void link(Path directory, List<Path> jars) throws IOException {
        Map<String, Path> byName = new HashMap<>();
        for (Path jar : jars) {
            String name = jar.getFileName().toString();
            // One of several versions, the newest in the order of names.
            byName.merge(name.replaceFirst("-[0-9].*", "") + (name.contains("-linux-") ? name : ""), jar,
                    (one, other) -> one.compareTo(other) > 0 ? one : other);
        }
        for (Path jar : byName.values()) {
            Files.createSymbolicLink(directory.resolve(jar.getFileName()), jar);
        }
    }

    /** What the build does with maven-dependency-plugin. */
    private static void unpackLibraries(Path directory, List<Path> jars) throws IOException {
        for (Path jar : jars) {
            if (jar.getFileName().toString().contains("-native-")) {
                try (FileSystem content = FileSystems.newFileSystem(jar);
                        DirectoryStream<Path> libraries = Files.newDirectoryStream(content.getPath("META-INF/native"), "*.so")) {
                    for (Path library : libraries) {
                        Files.copy(library, directory.resolve(library.getFileName().toString()));
                    }
                } catch (NoSuchFileException | NotDirectoryException none) {
                    // A jar of classes.
                }
            }
        }
    }

    /**
     * Runs a line of shell to its end, in which "$sluice" is the script. ASCII alone, as this virtual machine may be unable to pass anything else.
     *
     * @param environment beside PATH, all that there is
     */
    SluiceProcess.Ended run(Path home, Map<String, String> environment, String line) throws Exception {
        Path around = Objects.requireNonNull(home.getParent());
        Path out = Files.createTempFile(around, "launcher", ".out");
        Path err = Files.createTempFile(around, "launcher", ".err");
        ProcessBuilder builder = new ProcessBuilder("sh", "-c", line).redirectOutput(out.toFile()).redirectError(err.toFile());
        Map<String, String> all = new HashMap<>(environment);
        all.put("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        all.put("SLUICE_JAVA_HOME", System.getProperty("java.home"));
        all.put("sluice", home.resolve(script).toString());
        all.merge("SLUICE_CLASSPATH", directories(), (given, ours) -> ours.isEmpty() ? given : ours + ":" + given);
        builder.environment().clear();
        builder.environment().putAll(all);
        builder.directory(around.toFile());
        Process process = builder.start();
        if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            throw new AssertionError("has not ended within " + LIMIT_SECONDS + " s: " + Files.readString(err));
        }
        return new SluiceProcess.Ended(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    private static String directories() {
        return String.join(":", classPath().stream().filter(Files::isDirectory).map(Path::toString).toList());
    }
}
