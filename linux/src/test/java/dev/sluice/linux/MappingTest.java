package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(FdLeakCheck.class)
class MappingTest {
    private static final long PAGE = Mapping.pageBytes();

    @Test
    void shouldShareMemoryWithAnotherMappingOfTheFile() throws IOException {
        try (Fd file = Fd.adopt(Memfd.create("shared", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(file.number(), 2 * PAGE)).isZero();
            try (Mapping whole = Mapping.shared(file.number(), 0, 2 * PAGE);
                    Mapping second = Mapping.shared(file.number(), PAGE, PAGE)) {
                NativeMemory.putLong(whole.address() + PAGE + 8, 42);
                assertThat(NativeMemory.getLong(second.address() + 8)).isEqualTo(42);
                assertThat(second.bytes()).isEqualTo(PAGE);
            }
        }
    }

    @Test
    void shouldBeZeroedAndPageAlignedWhenAnonymous() throws IOException {
        try (Mapping mapping = Mapping.anonymous(PAGE)) {
            assertThat(mapping.address() % PAGE).isZero();
            assertThat(NativeMemory.getLong(mapping.address())).isZero();
        }
    }

    @Test
    void shouldNameCallAndErrnoWhenItFails() {
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(() -> Mapping.shared(1_000_000, 0, PAGE))
                .withMessage("mmap of " + PAGE + " bytes from offset 0: EBADF (bad file descriptor)")
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
    }

    @Test
    void shouldRefuseWhatCannotBeMapped() {
        assertThatIllegalArgumentException().isThrownBy(() -> Mapping.anonymous(0));
        assertThatIllegalArgumentException().isThrownBy(() -> Mapping.shared(0, -PAGE, PAGE));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Mapping.map(-1, 0, PAGE, Mapping.PROT_READ, Mapping.MAP_PRIVATE | 0x10));
    }

    @Test
    void shouldUnmapOnceWhenClosedTwice() throws IOException {
        Mapping mapping = Mapping.anonymous(PAGE);
        mapping.close();
        mapping.close();
        assertThatIllegalStateException().isThrownBy(mapping::address);
        assertThat(mapping.toString()).contains("closed");
    }

    @Test
    void shouldSayWhichPagesOfAFileAreInMemory() throws IOException {
        try (Fd file = Fd.adopt(Memfd.create("resident", Memfd.MFD_CLOEXEC));
                NativeBlock vector = NativeMemory.allocate(Long.BYTES, Long.BYTES)) {
            assertThat(LinuxFile.ftruncate(file.number(), 3 * PAGE)).isZero();
            try (Mapping mapping = Mapping.shared(file.number(), 0, 3 * PAGE)) {
                assertThat(LinuxFile.pwrite(file.number(), vector.address(), Long.BYTES, PAGE)).isEqualTo(Long.BYTES);
                NativeMemory.putLong(vector.address(), -1);
                assertThat(Mapping.mincore(mapping.address(), 3 * PAGE - 1, vector.address())).isZero();
                byte[] found = new byte[4];
                NativeMemory.copyToArray(vector.address(), found, 0, 4);
                assertThat(found).as("a byte a page, and no more").containsExactly(0, 1, 0, -1);
                assertThat(Mapping.mincore(mapping.address() + 1, PAGE, vector.address())).isEqualTo(-Errno.EINVAL);
            }
        }
    }

    @Test
    void shouldCheckBoundsOfViews() throws IOException {
        try (Mapping mapping = Mapping.anonymous(PAGE)) {
            assertThat(mapping.view(PAGE - 8, 8).byteSize()).isEqualTo(8);
            assertThatThrownBy(() -> mapping.view(PAGE - 8, 9)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }
}
