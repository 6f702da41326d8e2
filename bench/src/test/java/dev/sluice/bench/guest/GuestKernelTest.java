package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestKernelTest {
    @TempDir
    Path home;
    @TempDir
    Path root;
    @TempDir
    Path chosen;

    @Test
    void shouldFindNothingWhereNoKernelIs() {
        assertThat(GuestKernel.find(Map.of(), home, root)).isEmpty();
    }

    @Test
    void shouldTakeTheNewestWhenSeveralAreUnpacked() throws IOException {
        Path cache = home.resolve(".cache/sluice/guest-kernel");
        kernel(cache, "6.1.0-9-cloud-amd64", "lib/modules");
        kernel(cache, "6.1.0-10-cloud-amd64", "usr/lib/modules");
        assertThat(GuestKernel.find(Map.of(), home, root)).map(GuestKernel::release).hasValue("6.1.0-10-cloud-amd64");
    }

    @Test
    void shouldPassOverAnImageWithoutModules() throws IOException {
        kernel(root, "6.1.0-9-amd64", "lib/modules");
        Files.createFile(root.resolve("boot/vmlinuz-6.1.0-10-amd64"));
        assertThat(GuestKernel.find(Map.of(), home, root)).map(GuestKernel::release).hasValue("6.1.0-9-amd64");
    }

    @Test
    void shouldPreferTheCacheToTheMachinesOwn() throws IOException {
        kernel(root, "6.12.0-1-amd64", "lib/modules");
        kernel(home.resolve(".cache/sluice/guest-kernel"), "6.1.0-9-cloud-amd64", "lib/modules");
        assertThat(GuestKernel.find(Map.of(), home, root)).map(GuestKernel::release).hasValue("6.1.0-9-cloud-amd64");
    }

    @Test
    void shouldLookOnlyInTheChosenDirectoryWhenOneIsChosen() throws IOException {
        kernel(root, "6.12.0-1-amd64", "lib/modules");
        Map<String, String> environment = Map.of(GuestKernel.DIRECTORY_VARIABLE, chosen.toString());
        assertThat(GuestKernel.find(environment, home, root)).isEmpty();
        kernel(chosen, "6.1.0-9-cloud-amd64", "lib/modules");
        String release = "6.1.0-9-cloud-amd64";
        GuestKernel expected =
                new GuestKernel(release, chosen.resolve("boot/vmlinuz-" + release), chosen.resolve("lib/modules/" + release));
        assertThat(GuestKernel.find(environment, home, root)).hasValue(expected);
    }

    @Test
    void shouldSayHowToGetAKernel() {
        assertThat(GuestKernel.advice())
                .contains("apt-get download", "dpkg -x", "fetch-guest-kernel.sh", "SLUICE_GUEST_KERNEL_DIR");
    }

    @Test
    void shouldOrderReleasesByTheirNumbers() {
        assertThat(GuestKernel.compareReleases("6.1.0-9", "6.1.0-10")).isNegative();
        assertThat(GuestKernel.compareReleases("6.12.0-1", "6.2.0-1")).isPositive();
        assertThat(GuestKernel.compareReleases("6.1.0-9", "6.1.0-9")).isZero();
    }

    private static void kernel(Path directory, String release, String modules) throws IOException {
        Files.createDirectories(directory.resolve("boot"));
        Files.createFile(directory.resolve("boot/vmlinuz-" + release));
        Files.createDirectories(directory.resolve(modules).resolve(release));
    }
}
