package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class PlacedRowsTest {
    private static final double MOST_SECONDS = 30 * 60;

    /** With the rounds and times of the command's defaults. */
    private final MatrixSettings defaults = new MatrixSettings(
            EnumSet.of(Section.PLACED), Pattern.compile(""), 3, 2, 2, Path.of("/disk"), Path.of("/ram"), 64 << 20, Path.of("out"), null, null, "");

    @Test
    void shouldHaveAtMostSixtyRowsInHalfAnHour() {
        assertThat(rows(Section.PLACED)).hasSizeLessThanOrEqualTo(PlacedRows.MOST_ROWS);
        double round = Step.of(Section.PLACED.experiments().stream().map(table -> ExperimentResult.empty(Section.PLACED, table)).toList()).stream()
                .mapToDouble(step -> step.estimateSeconds(defaults))
                .sum();
        assertThat(round * defaults.rounds()).isLessThan(MOST_SECONDS);
    }

    @Test
    void shouldHaveAFloorInEveryTableOfARing() {
        for (Section section : List.of(Section.PLACED, Section.PRODUCT)) {
            for (Experiment table : section.experiments()) {
                boolean ring = table.rows().stream().allMatch(row -> row.backend().medium() == Medium.NULL);
                assertThat(table.rows().stream().anyMatch(row -> row.backend() instanceof FloorSpec)).as(table.title()).isEqualTo(ring);
            }
        }
    }

    @Test
    void shouldCoverMediaSizesKindsQueuesDepthsWaitsAndDisks() {
        for (Section section : List.of(Section.PLACED, Section.PRODUCT)) {
            List<RingWorkload> loads = rows(section).stream().map(row -> (RingWorkload) row.workload()).toList();
            assertThat(loads).extracting(load -> load.plan().blockBytes()).contains(512, 4 << 10, 128 << 10, 1 << 20);
            assertThat(loads).extracting(load -> load.plan().queues()).contains(1, 4);
            assertThat(loads).extracting(load -> load.plan().depth()).contains(1, 16, 64);
            assertThat(loads).extracting(load -> load.plan().disks()).contains(1, 16, 100);
            assertThat(loads).extracting(load -> load.plan().writes()).contains(true, false);
            assertThat(rows(section)).extracting(row -> row.backend().medium()).contains(Medium.values());
            assertThat(rows(section)).extracting(Row::name).contains("sluice, poll", "sluice, sleep", "SPDK, poll", "qemu-storage-daemon, sleep",
                    "floor, sleep");
        }
    }

    @Test
    void shouldServeAsManyDisksAndQueuesAsAreLoaded() {
        for (Row row : rows(Section.PRODUCT)) {
            RingWorkload load = (RingWorkload) row.workload();
            assertThat(row.backend().disks()).as(row.toString()).isEqualTo(load.plan().disks());
            switch (row.backend()) {
                case SluiceSpec sluice when load.plan().disks() == 1 ->
                        assertThat(sluice.command(Places.WORDS)).containsSequence("--num-queues", Integer.toString(load.plan().queues()));
                case StorageDaemonSpec daemon -> assertThat(daemon.queues()).isEqualTo(load.plan().queues());
                case FloorSpec floor -> assertThat(floor.queues()).isEqualTo(load.plan().queues());
                default -> {}
            }
        }
    }

    @Test
    void shouldGiveEachDiskItsImageAndSocket() {
        Places places = new Places(Path.of("/d/disk.sock"), Path.of("/i/disk.img"), Path.of("/d/stats"), Places.WORDS.tools());
        assertThat(places.sockets(2)).containsExactly(Path.of("/d/0-disk.sock"), Path.of("/d/1-disk.sock"));
        assertThat(places.sockets(1)).containsExactly(Path.of("/d/disk.sock"));
        assertThat(new StorageDaemonSpec(Medium.RAM, "native", 1, 2, OptionalInt.empty()).command(places))
                .anyMatch(argument -> argument.contains("node-name=image1") && argument.contains("filename=/i/1-disk.img"))
                .anyMatch(argument -> argument.contains("node-name=image1") && argument.contains("addr.path=/d/1-disk.sock"));
        assertThat(new SpdkSpec(Medium.RAM).command(places)).contains("0x1", "/i/disk.img", "disk.sock", "/d");
    }

    private static List<Row> rows(Section section) {
        List<Row> rows = new ArrayList<>();
        section.experiments().forEach(table -> rows.addAll(table.rows()));
        return rows;
    }
}
