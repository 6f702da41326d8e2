package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What of docs/container can be checked without a container: that DistIT's archive has its paths is checked there. */
class ContainerRecipeTest {
    private static final Path RECIPE = Path.of("../docs/container");

    @Test
    void shouldAllowIoUringAndLinuxAioInTheSeccompProfile() throws Exception {
        JsonNode profile = new ObjectMapper().readTree(RECIPE.resolve("seccomp.json").toFile());
        assertThat(profile.path("defaultAction").asText()).isEqualTo("SCMP_ACT_ERRNO");
        List<String> allowed = new ArrayList<>();
        for (JsonNode rule : profile.path("syscalls")) {
            assertThat(rule.path("action").asText()).isIn("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO");
            if (rule.path("action").asText().equals("SCMP_ACT_ALLOW")) {
                rule.path("names").forEach(name -> allowed.add(name.asText()));
            }
        }
        assertThat(allowed)
                .contains("io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "io_submit", "io_getevents", "io_destroy", "clone", "execve",
                        "memfd_create", "eventfd2",
                        "preadv2", "pwritev2", "fallocate", "fdatasync", "recvmsg", "sendmsg", "accept4", "sched_setaffinity", "mmap", "socket", "futex",
                        "rt_sigaction")
                .doesNotContain("mount", "unshare", "setns", "bpf", "keyctl", "init_module", "kexec_load", "open_by_handle_at");
    }

    @Test
    void shouldStartTheCommandItselfWithArgumentsThatItKnows() throws Exception {
        String recipe = Files.readString(RECIPE.resolve("Containerfile"));
        Matcher entry = Pattern.compile("(?m)^ENTRYPOINT (\\[.*])$").matcher(recipe);
        assertThat(entry.find()).isTrue();
        assertThat(new ObjectMapper().readTree(entry.group(1)).path(0).asText()).isEqualTo("/opt/sluice/bin/sluice");
        assertThat(recipe).contains("CMD [\"serve\", \"--config\", ").containsPattern("(?m)^USER sluice$");
        String deploy = Files.readString(Path.of("../docs/deploy.md"));
        assertThat(deploy).contains("--init", "container/Containerfile", "container/seccomp.json", "reconnect-ms");
    }
}
