package dev.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.server.SluiceProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Year;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The two launchers, in surroundings that a user's machine may have. */
class LauncherIT {
    /** Serves until it has said on whose behalf, then asks it to end; ends as it does. */
    private static final String SERVE = """
            mkfifo said; "$sluice" serve --blk-file "$image" --socket-path "$image.sock" >said & pid=$!
            read -r line <said; echo "$line"; case $line in ready*) kill -TERM $pid ;; esac; wait $pid
            """;

    private static final String UMLAUTS = "image=$(printf 'gr\\303\\266\\303\\237e.img'); truncate -s 1M \"$image\"\n";

    @TempDir
    Path directory;

    private Path home;

    @BeforeEach
    void choosePlace() {
        home = directory.resolve("home");
    }

    private void install(Launcher launcher) throws Exception {
        launcher.install(home);
    }

    @ParameterizedTest
    @CsvSource({"CHECKOUT,C", "ARCHIVE,C", "ARCHIVE,th_TH.UTF-8", "ARCHIVE,de_DE.ISO-8859-1", "CHECKOUT,C.UTF-8"})
    void shouldServeAPathOfUtf8WhateverTheLocale(Launcher launcher, String locale) throws Exception {
        install(launcher);
        SluiceProcess.Ended ended = launcher.run(home, Map.of("LC_ALL", locale), UMLAUTS + SERVE);
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).startsWith("ready: gr\u00F6\u00DFe.img (1.0 MiB").contains("on gr\u00F6\u00DFe.img.sock");
        assertThat(ended.err()).contains("gr\u00F6\u00DFe.img");
    }

    @ParameterizedTest
    @EnumSource
    void shouldServeAPathOfUtf8WhenItStandsInAFile(Launcher launcher) throws Exception {
        install(launcher);
        String file = UMLAUTS + "printf 'disks:\\n  - image: %s\\n    socket: %s.sock\\n' \"$image\" \"$image\" >\"$image.yaml\"\n";
        SluiceProcess.Ended ended = launcher.run(home, Map.of("LC_ALL", "C"),
                file + SERVE.replace("--blk-file \"$image\" --socket-path \"$image.sock\"", "--config \"$image.yaml\""));
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).contains("gr\u00F6\u00DFe.img.yaml");
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowTheBytesInOneLineWhenAnArgumentIsNotUtf8(Launcher launcher) throws Exception {
        install(launcher);
        SluiceProcess.Ended ended = launcher.run(home, Map.of(), "exec \"$sluice\" serve --blk-file \"$(printf 'a\\377b.img')\" --socket-path x.sock");
        assertThat(ended.err()).isEqualTo("sluice: error: argument a\\xffb.img is not UTF-8: rename the file that it names, paths must be UTF-8\n");
        assertThat(ended.status()).isEqualTo(2);
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowTheBytesInOneLineWhenTheWorkingDirectoryIsNotUtf8(Launcher launcher) throws Exception {
        install(launcher);
        SluiceProcess.Ended ended = launcher.run(home, Map.of(), "d=$(printf 'a\\377b'); mkdir \"$d\"; cd \"$d\"; exec \"$sluice\" --version");
        assertThat(ended.err()).matches("sluice: error: the working directory /\\S+/a\\\\xffb is not UTF-8: .*\n");
        assertThat(ended.status()).isEqualTo(2);
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowTheBytesInOneLineWhenAFileOfDisksIsNotUtf8(Launcher launcher) throws Exception {
        install(launcher);
        SluiceProcess.Ended ended = launcher.run(home, Map.of(),
                "printf 'disks:\\n  - image: a\\377b.img\\n    socket: b.sock\\n' >disks.yaml; exec \"$sluice\" serve --config disks.yaml");
        assertThat(ended.err()).startsWith("sluice: error: disks.yaml").contains("a\\xffb.img").hasLineCount(1);
        assertThat(ended.status()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-Duser.language=th -Duser.country=TH", "-Duser.language=ar -Duser.country=EG -Duser.extensions=u-nu-arab", "-Duser.language=fa",
        "-Duser.language=tr"})
    void shouldWriteIsoDatesAndDigitsWhateverTheLocale(String locale) throws Exception {
        install(Launcher.ARCHIVE);
        SluiceProcess.Ended ended = Launcher.ARCHIVE.run(home, Map.of("SLUICE_JAVA_OPTS", locale),
                "truncate -s 1500K a.img; image=a.img\n" + SERVE.replace("--blk-file", "--log-level info --stats stats.json --blk-file"));
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).startsWith("ready: a.img (1.5 MiB, ");
        assertThat(ended.err().lines().map(line -> line.split("-", 2)[0]).distinct()).as(ended.err())
                .containsExactly(Integer.toString(Year.now(ZoneOffset.UTC).getValue()));
        assertThat(Files.readString(directory.resolve("stats.json"))).matches("\\p{ASCII}+").contains("\"time\":");
    }

    @ParameterizedTest
    @CsvSource({
        "CHECKOUT,JAVA_TOOL_OPTIONS,-XX:+UseG1GC", "ARCHIVE,JDK_JAVA_OPTIONS,-XX:+UseParallelGC", "ARCHIVE,SLUICE_JAVA_OPTS,-XX:+UseZGC",
        "CHECKOUT,SLUICE_JAVA_OPTS,-XX:+UseSerialGC",
        "CHECKOUT,JDK_JAVA_OPTIONS,-Xmx32m", "ARCHIVE,JAVA_TOOL_OPTIONS,-Xmx33554432", "ARCHIVE,SLUICE_JAVA_OPTS,-XX:MaxHeapSize=40m",
        "CHECKOUT,JAVA_TOOL_OPTIONS,-Xms600m", "ARCHIVE,_JAVA_OPTIONS,-Xmx48M",
        "CHECKOUT,SLUICE_JAVA_OPTS,@options", "CHECKOUT,JDK_JAVA_OPTIONS,-Xmx1g", "ARCHIVE,JAVA_TOOL_OPTIONS,-XX:MaxNewSize=4m"
    })
    void shouldStartWithWhatTheUserHasChosenForTheHeap(Launcher launcher, String variable, String option) throws Exception {
        install(launcher);
        String wanted = option.startsWith("@") ? "-XX:+UseG1GC" : option;
        Files.writeString(directory.resolve("options"), "# of the user\n" + wanted + "\n");
        SluiceProcess.Ended ended = launcher.run(home, Map.of(variable, option),
                "SLUICE_JAVA_OPTS=\"${SLUICE_JAVA_OPTS:-} -XX:+PrintFlagsFinal\" \"$sluice\" serve --print-capabilities");
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).contains("\"block\"").containsPattern(flag(wanted));
        // What the virtual machine says by itself is what it was told, and nothing of ours.
        assertThat(ended.err().lines()).allMatch(line -> line.contains("Picked up "));
    }

    /** As -XX:+PrintFlagsFinal shows it. */
    private static String flag(String option) {
        String text = option.replaceFirst("-Xmx", "-XX:MaxHeapSize=").replaceFirst("-Xms", "-XX:InitialHeapSize=");
        if (text.startsWith("-XX:+")) {
            return " " + text.substring("-XX:+".length()) + " += true ";
        }
        String[] nameAndSize = text.substring("-XX:".length()).split("=", 2);
        long bytes = Long.parseLong(nameAndSize[1].replaceFirst("[mMgG]$", ""));
        bytes *= nameAndSize[1].matches("\\d+[mM]") ? 1 << 20 : nameAndSize[1].matches("\\d+[gG]") ? 1 << 30 : 1;
        return " " + nameAndSize[0] + " += " + bytes + " ";
    }

    @ParameterizedTest
    @EnumSource
    void shouldStartAnotherCommandWithWhatTheUserHasChosen(Launcher launcher) throws Exception {
        install(launcher);
        SluiceProcess.Ended ended = launcher.run(home, Map.of("JAVA_TOOL_OPTIONS", "-XX:+UseParallelGC -Xmx48m"), "\"$sluice\" demo --seconds 0.2");
        assertThat(ended.status()).as(ended.err() + ended.out()).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void shouldSayInOneLineThatAnEntryOfTheClassPathDoesNotExist(Launcher launcher) throws Exception {
        install(launcher);
        for (String entry : new String[] {"/absent/stage.jar", "/absent/*", "nowhere:"}) {
            SluiceProcess.Ended ended = launcher.run(home, Map.of("SLUICE_CLASSPATH", entry), "exec \"$sluice\" --version");
            assertThat(ended.err()).startsWith("sluice: error: SLUICE_CLASSPATH names " + entry.replace(":", "") + ", which does not exist").hasLineCount(1);
            assertThat(ended.status()).isEqualTo(1);
        }
        Files.createDirectories(directory.resolve("jars"));
        assertThat(launcher.run(home, Map.of("SLUICE_CLASSPATH", "jars/*::jars:"), "exec \"$sluice\" --version").status()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"CHECKOUT,a:b", "ARCHIVE,a:b", "CHECKOUT,ab!", "ARCHIVE,ab!"})
    void shouldSayInOneLineThatThePathOfTheInstallationCannotBeHad(Launcher launcher, String name) throws Exception {
        home = directory.resolve(name).resolve("home");
        launcher.install(home);
        SluiceProcess.Ended ended = launcher.run(home, Map.of(), "exec \"$sluice\" --version");
        assertThat(ended.err()).startsWith("sluice: error: it is installed in " + home.toRealPath()).hasLineCount(1);
        assertThat(ended.status()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({"CHECKOUT,a b", "ARCHIVE,a b", "CHECKOUT,a!b", "ARCHIVE,a!b", "ARCHIVE,'%20#+'", "CHECKOUT,'$x'"})
    void shouldStartWhereverElseItIsInstalled(Launcher launcher, String name) throws Exception {
        home = directory.resolve(name).resolve("home");
        launcher.install(home);
        SluiceProcess.Ended ended = launcher.run(home, Map.of(), "exec \"$sluice\" serve --print-capabilities");
        assertThat(ended.status()).as(ended.err()).isZero();
    }

    /** The archive has the libraries in its runtime, which DistIT tries. */
    @Test
    void shouldServeFromACheckoutWhenNothingCanBeUnpackedIntoTheTemporaryDirectory() throws Exception {
        install(Launcher.CHECKOUT);
        SluiceProcess.Ended ended =
                Launcher.CHECKOUT.run(home, Map.of("SLUICE_JAVA_OPTS", "-Djava.io.tmpdir=/nowhere"), "truncate -s 1M a.img; image=a.img\n" + SERVE);
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).startsWith("ready: a.img").contains("io_uring");
        assertThat(ended.err()).doesNotContain("passed over");
    }

    @ParameterizedTest
    @CsvSource({"jdk.management,--metrics 0", "jdk.httpserver,--metrics 0", "jdk.management,--stats s.json"})
    void shouldNameTheModuleInOneLineWhenTheRuntimeHasItNot(String module, String options) throws Exception {
        install(Launcher.CHECKOUT);
        String others = Stream.of("java.base", "java.logging", "java.management", "java.xml", "jdk.httpserver", "jdk.jfr", "jdk.management", "jdk.unsupported")
                .filter(name -> !name.equals(module)).collect(Collectors.joining(","));
        SluiceProcess.Ended ended = Launcher.CHECKOUT.run(home, Map.of("SLUICE_JAVA_OPTS", "--limit-modules " + others),
                "truncate -s 1M a.img; exec \"$sluice\" serve --blk-file a.img --socket-path a.sock " + options);
        assertThat(ended.err().lines().filter(line -> !line.contains(" INFO "))).singleElement().asString()
                .startsWith("sluice: error: the Java runtime in ").contains(" lacks the module " + module, "--add-modules " + module);
        assertThat(ended.status()).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource
    void shouldNameTheLimitInOneLineWhenItAllowsTooFewThreads(Launcher launcher) throws Exception {
        assumeThat(System.getProperty("user.name")).as("SKIPPED: a limit of processes, as only root can run a command as a user without any").isEqualTo("root");
        install(launcher);
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        SluiceProcess.Ended ended = launcher.run(home, Map.of(),
                "exec setpriv --reuid=54321 --regid=54321 --clear-groups prlimit --nproc=12 \"$sluice\" --version");
        assertThat(ended.err()).startsWith("sluice: error: ").contains("12", "ulimit -u").hasLineCount(1);
        assertThat(ended.status()).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowTheBytesInOneLineWhenItIsInstalledInAPathThatIsNotUtf8(Launcher launcher) throws Exception {
        install(launcher);
        SluiceProcess.Ended ended = launcher.run(home, Map.of(), "d=$(printf 'a\\377b c'); mv home \"$d\"; exec \"$d/" + launcher.script + "\" --version");
        assertThat(ended.err()).matches("sluice: error: it is installed in /\\S+/a\\\\xffb c, which is not UTF-8: .*\n");
        assertThat(ended.status()).isEqualTo(2);
    }
}
