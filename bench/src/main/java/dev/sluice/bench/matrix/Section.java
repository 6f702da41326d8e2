package dev.sluice.bench.matrix;

import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** The parts of the matrix, in order. */
public enum Section {
    PLACED("Placed and calibrated"),
    ABLATION("The effect of each part"),
    PEERS("Peers"),
    SCALING("Scaling"),
    GUEST("A real guest"),
    PRODUCT("Placed and calibrated: everything");

    private final String title;

    Section(String title) {
        this.title = title;
    }

    String title() {
        return title;
    }

    List<Experiment> experiments() {
        return switch (this) {
            case PLACED -> PlacedRows.experiments();
            case ABLATION -> Ablation.experiments();
            case PEERS -> Peers.experiments();
            case SCALING -> Scaling.experiments();
            case GUEST -> GuestFio.experiments();
            case PRODUCT -> PlacedProduct.experiments();
        };
    }

    /** Its name on the command line. */
    public String option() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * Parses sections from {@code ablation,peers}, or all of them from {@code all}.
     *
     * @throws IllegalArgumentException for an unknown name; the message lists the known ones
     */
    public static Set<Section> parse(String list) {
        if (list.equals("all")) {
            return EnumSet.allOf(Section.class);
        }
        Set<Section> sections = EnumSet.noneOf(Section.class);
        for (String name : list.split(",", -1)) {
            sections.add(named(name.strip()));
        }
        return sections;
    }

    private static Section named(String name) {
        for (Section section : values()) {
            if (section.option().equals(name)) {
                return section;
            }
        }
        throw new IllegalArgumentException("the matrix has no section '" + name + "'; known: placed, ablation, peers, scaling, guest, product, all");
    }
}
