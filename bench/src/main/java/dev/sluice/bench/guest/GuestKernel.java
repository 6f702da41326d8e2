package dev.sluice.bench.guest;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * A Linux kernel to boot guests with: its image, and its modules of the same release.
 *
 * <p><b>Threading:</b> immutable.
 *
 * @param release as {@code uname -r} prints it
 * @param image {@code boot/vmlinuz-RELEASE}
 * @param modules {@code lib/modules/RELEASE}
 */
public record GuestKernel(String release, Path image, Path modules) {
    /** Names the only directory to search; it has {@code boot} and {@code lib/modules}, as {@code dpkg -x} leaves them. */
    public static final String DIRECTORY_VARIABLE = "SLUICE_GUEST_KERNEL_DIR";

    private static final String FETCH_SCRIPT = "fetch-guest-kernel.sh";
    private static final String IMAGE_PREFIX = "vmlinuz-";
    private static final List<String> MODULE_PARENTS = List.of("lib/modules", "usr/lib/modules");
    private static final Pattern NUMBER = Pattern.compile("\\d+");

    /**
     * Finds the newest kernel of the first directory that has one: {@link #DIRECTORY_VARIABLE} alone if it is set, else
     * {@code ~/.cache/sluice/guest-kernel}, then {@code /boot} and {@code /lib/modules}.
     */
    public static Optional<GuestKernel> find() {
        return find(System.getenv(), home(), Path.of("/"));
    }

    static Optional<GuestKernel> find(Map<String, String> environment, Path home, Path root) {
        Optional<Path> chosen = chosen(environment);
        return chosen.isPresent()
                ? newestIn(chosen.get())
                : newestIn(cache(home)).or(() -> newestIn(root));
    }

    /** The command to run if {@link #find} finds nothing. */
    public static String advice() {
        return String.format(Locale.ROOT, """
            the guest's kernel, unpacked and not installed (Debian, no root needed):
                apt-get download "$(apt-cache depends --important linux-image-cloud-amd64 | awk '/Depends:/ { print $2 }')"
                dpkg -x linux-image-*.deb %s
              or, in a clone of Sluice: sh bench/src/main/resources/dev/sluice/bench/guest/%s
              or set %s to a directory with boot/vmlinuz-* and lib/modules/* of a Linux with virtio_blk and ext4""",
                chosen(System.getenv()).orElse(cache(home())), FETCH_SCRIPT, DIRECTORY_VARIABLE);
    }

    /**
     * Downloads Debian's cloud kernel with apt-get (some 27 MB, no root) to where {@link #find} searches.
     *
     * @param progress receives each line that the download prints, on the calling thread
     * @throws GuestException if there is no apt-get or the download failed
     */
    public static GuestKernel fetch(Consumer<String> progress) throws GuestException, InterruptedException {
        boolean failed;
        try {
            Process shell = new ProcessBuilder("sh", "-s").redirectErrorStream(true).start();
            try (BufferedReader lines = shell.inputReader()) {
                feedFetchScript(shell);
                lines.lines().forEach(progress);
                failed = shell.waitFor() != 0;
            } finally {
                shell.destroy();
            }
        } catch (IOException | UncheckedIOException e) {
            throw new GuestException("no guest kernel was downloaded: " + e.getMessage() + "; needed: " + advice(), e);
        }
        if (failed) {
            throw new GuestException("no guest kernel was downloaded; needed: " + advice());
        }
        return find().orElseThrow(() -> new GuestException("the downloaded kernel is unusable; needed: " + advice()));
    }

    private static void feedFetchScript(Process shell) throws IOException {
        try (InputStream script = GuestKernel.class.getResourceAsStream(FETCH_SCRIPT);
                OutputStream in = shell.getOutputStream()) {
            if (script == null) {
                throw new IllegalStateException("no " + FETCH_SCRIPT + " on the class path");
            }
            script.transferTo(in);
        }
    }

    /** As in the shell: the script that fills the cache uses HOME, which Java's user.home ignores. */
    private static Path home() {
        String home = System.getenv("HOME");
        return Path.of(home == null || home.isEmpty() ? System.getProperty("user.home") : home);
    }

    private static Optional<Path> chosen(Map<String, String> environment) {
        return Optional.ofNullable(environment.get(DIRECTORY_VARIABLE))
                .filter(directory -> !directory.isEmpty())
                .map(Path::of);
    }

    private static Path cache(Path home) {
        return home.resolve(".cache/sluice/guest-kernel");
    }

    private static Optional<GuestKernel> newestIn(Path directory) {
        List<GuestKernel> found = new ArrayList<>();
        try (DirectoryStream<Path> images = Files.newDirectoryStream(directory.resolve("boot"), IMAGE_PREFIX + "*")) {
            for (Path image : images) {
                String release = image.getFileName().toString().substring(IMAGE_PREFIX.length());
                for (String parent : MODULE_PARENTS) {
                    Path modules = directory.resolve(parent).resolve(release);
                    if (Files.isReadable(image) && Files.isDirectory(modules)) {
                        found.add(new GuestKernel(release, image, modules));
                        break;
                    }
                }
            }
        } catch (IOException e) {
            return Optional.empty(); // no such directory, or none that may be read: no kernel there
        }
        return found.stream().max(Comparator.comparing(GuestKernel::release, GuestKernel::compareReleases));
    }

    /** Orders as people do: 6.1.0-9 before 6.1.0-10. */
    static int compareReleases(String left, String right) {
        return padNumbers(left).compareTo(padNumbers(right));
    }

    private static String padNumbers(String release) {
        return NUMBER.matcher(release).replaceAll(match -> "0".repeat(Math.max(0, 8 - match.group().length())) + match.group());
    }
}
