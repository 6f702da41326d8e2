package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** One line for each way in which a machine can have no io_uring. */
class IoUringAvailabilityTest {
    @Test
    void shouldBeAvailableHere() {
        // The other tests of this package need it too; this one says why they fail.
        assertThat(IoUringLoop.unavailable()).isEmpty();
    }

    @Test
    void shouldNameTheSwitchWhenItIsOff() {
        assertThat(IoUringAvailability.explain(null, "2")).contains("kernel.io_uring_disabled = 2").contains("sysctl");
        assertThat(IoUringAvailability.explain(new RuntimeException("io_uring_setup: Operation not permitted"), "1"))
                .contains("kernel.io_uring_disabled = 1")
                .contains("io_uring_group");
    }

    @Test
    void shouldSuspectSeccompWhenPermissionIsDenied() {
        Throwable cause = new RuntimeException("failed to create a ring", new RuntimeException("io_uring_setup(..) failed: Operation not permitted"));
        assertThat(IoUringAvailability.explain(cause, "0")).contains("seccomp").contains("io_uring_enter");
    }

    @Test
    void shouldNameTheLimitOfLockedMemoryAndTheOtherLoop() {
        assertThat(IoUringAvailability.explain(new RuntimeException("io_uring_setup: Cannot allocate memory"), "0"))
                .containsPattern("RLIMIT_MEMLOCK = (\\d+|unlimited)")
                .contains("LimitMEMLOCK=", "--loop epoll");
    }

    @Test
    void shouldNameTheLibraryWhenItDoesNotLoad() {
        Throwable cause = new RuntimeException("x", new UnsatisfiedLinkError("no netty_transport_native_io_uring42_x86_64"));
        assertThat(IoUringAvailability.explain(cause, null)).contains("netty-transport-native-io_uring").contains(System.getProperty("os.arch"));
    }

    @Test
    void shouldSayItInOneLine() {
        Stream.of("Function not implemented", "Cannot allocate memory", "anything\nat all")
                .map(text -> IoUringAvailability.explain(new RuntimeException(text), "0"))
                .forEach(line -> assertThat(line).doesNotContain("\n").contains("another backend"));
    }
}
