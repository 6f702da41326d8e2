package dev.sluice.examples.disk;

import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Feature bits by the names that the layout classes have for them. Immutable. */
final class FeatureBits {
    static final FeatureBits VIRTIO = new FeatureBits(VirtioFeatures.class, "");
    static final FeatureBits PROTOCOL = new FeatureBits(VhostUser.class, "PROTOCOL_F_");

    private final Map<Integer, String> names = new TreeMap<>();

    private FeatureBits(Class<?> constants, String prefix) {
        try {
            for (Field field : constants.getFields()) {
                if (Modifier.isStatic(field.getModifiers()) && field.getType() == long.class && field.getName().startsWith(prefix)) {
                    long mask = field.getLong(null);
                    if (Long.bitCount(mask) == 1) {
                        names.put(Long.numberOfTrailingZeros(mask), field.getName().substring(prefix.length()));
                    }
                }
            }
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** The names of the bits that are set, {@code bit N} for unknown ones, from the lowest. */
    List<String> names(long bits) {
        List<String> set = new ArrayList<>();
        for (long rest = bits; rest != 0; rest &= rest - 1) {
            int bit = Long.numberOfTrailingZeros(rest);
            set.add(names.getOrDefault(bit, "bit " + bit));
        }
        return set;
    }
}
