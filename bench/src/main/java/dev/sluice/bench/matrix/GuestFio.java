package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * The original's fio script in a real Linux guest, for compatibility.
 *
 * @param jobs fio's numjobs
 */
record GuestFio(int jobs) implements Workload {
    static final int QUEUES = 4;
    private static final List<Integer> JOBS = List.of(1, 2, 4);

    static List<Experiment> experiments() {
        List<BackendSpec> backends = List.of(
                SluiceSpec.on(Medium.DISK, "--num-queues", Integer.toString(QUEUES)),
                new StorageDaemonSpec(Medium.DISK, "native", QUEUES, OptionalInt.empty()));
        List<String> names = List.of("sluice", "qemu-storage-daemon native");
        List<Row> rows = new ArrayList<>();
        for (int jobs : JOBS) {
            for (int i = 0; i < backends.size(); i++) {
                rows.add(new Row(names.get(i) + ", JOBS=" + jobs, backends.get(i), new GuestFio(jobs)));
            }
        }
        return List.of(new Experiment(
                "A real guest, emulated, not for ranking: the original's fio script, 4 queues",
                "**An emulated guest (QEMU without hardware acceleration) is too slow to rank backends: this shows that both work, not which is faster.**"
                        + " fio with libaio, 4 KiB random reads, iodepth 64, direct, in the guest; latencies are those that the guest saw.",
                Metric.IOPS, false, rows));
    }

    @Override
    public String display() {
        return "in the guest: JOBS=" + jobs + " fio original.fio";
    }
}
