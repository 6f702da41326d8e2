package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(FdLeakCheck.class)
class MemfdTest {
    @Test
    void shouldKeepItsSizeWhenSealedAgainstShrinking() {
        try (Fd file = Fd.adopt(Memfd.create("sealed", Memfd.MFD_CLOEXEC | Memfd.MFD_ALLOW_SEALING))) {
            assertThat(LinuxFile.ftruncate(file.number(), 8192)).isZero();
            assertThat(Memfd.seals(file.number())).isZero();
            assertThat(Memfd.addSeals(file.number(), Memfd.F_SEAL_SHRINK)).isZero();
            assertThat(Memfd.seals(file.number())).isEqualTo(Memfd.F_SEAL_SHRINK);
            assertThat(LinuxFile.ftruncate(file.number(), 4096)).isEqualTo(-Errno.EPERM);
        }
    }

    @Test
    void shouldRefuseSealsWhenMadeWithoutThem() {
        try (Fd file = Fd.adopt(Memfd.create("unsealed", Memfd.MFD_CLOEXEC))) {
            assertThat(Memfd.seals(file.number())).isEqualTo(Memfd.F_SEAL_SEAL);
            assertThat(Memfd.addSeals(file.number(), Memfd.F_SEAL_SHRINK)).isEqualTo(-Errno.EPERM);
        }
    }

    @Test
    void shouldRefuseANameWithANulInside() {
        assertThat(Memfd.create("a\0b", Memfd.MFD_CLOEXEC)).isEqualTo(-Errno.EINVAL);
    }
}
