package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FeatureNamesTest {

    @Test
    void shouldHaveTheNameOfEveryBitThatTheLayoutHas() throws IllegalAccessException {
        for (Field field : masks(VirtioFeatures.class, "")) {
            String name = FeatureNames.VIRTIO.name(Long.numberOfTrailingZeros(field.getLong(null)));
            assertThat(field.getName()).as(name).startsWith(name.replaceFirst("(^|_)F_", "$1"));
        }
        for (Field field : masks(VhostUser.class, "PROTOCOL_F_")) {
            assertThat(field.getName()).isEqualTo("PROTOCOL_F_" + FeatureNames.PROTOCOL.name(Long.numberOfTrailingZeros(field.getLong(null))));
        }
    }

    private static List<Field> masks(Class<?> constants, String prefix) throws IllegalAccessException {
        List<Field> found = new ArrayList<>();
        for (Field field : constants.getFields()) {
            if (field.getType() == long.class && field.getName().startsWith(prefix) && Long.bitCount(field.getLong(null)) == 1) {
                found.add(field);
            }
        }
        assertThat(found).hasSizeGreaterThan(5);
        return found;
    }

    @Test
    void shouldNameTheBitsThatAreSetFromTheLowest() {
        assertThat(FeatureNames.VIRTIO.names(VirtioFeatures.VERSION_1 | VirtioFeatures.BLK_FLUSH | 1L << 63)).containsExactly("BLK_F_FLUSH", "F_VERSION_1",
                "bit 63");
        assertThat(FeatureNames.PROTOCOL.names(0)).isEmpty();
        assertThat(FeatureNames.VIRTIO.name(63)).isEqualTo("?");
        assertThat(FeatureNames.VIRTIO.words(9)).isEqualTo("the guest can flush");
    }
}
