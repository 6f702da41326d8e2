package dev.sluice.bench.matrix;

import dev.sluice.bench.load.Load;
import dev.sluice.bench.load.LoadReport;
import dev.sluice.bench.load.LoadedDisk;
import dev.sluice.virtio.driver.BlockDriver;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Measures the matrix: all its rows once per round, so that other activity on the machine affects all of them.
 *
 * <p><b>Threading:</b> {@link #run} on one thread, once. <b>Ownership:</b> processes and files are gone when it returns or the JVM exits. <b>Failure:</b> a row
 * that fails records the reason and the others continue. The results are written after every round, so that an aborted run leaves those of earlier rounds.
 */
public final class Matrix {
    /** Extra warm-up before the very first measurement, because the driver, in this process, compiles as well. */
    private static final double DRIVER_WARM_UP_SECONDS = 3;

    private final MatrixSettings settings;
    private final PrintStream out;
    private final List<ExperimentResult> experiments = new ArrayList<>();
    private boolean driverWarm;
    private @Nullable PlacedRun placedRun;

    public Matrix(MatrixSettings settings, PrintStream out) {
        this.settings = settings;
        this.out = out;
        for (Section section : Section.values()) {
            if (settings.sections().contains(section)) {
                for (Experiment experiment : section.experiments()) {
                    Experiment wanted = experiment.where(row -> settings.wants(experiment, row));
                    if (!wanted.rows().isEmpty()) {
                        experiments.add(ExperimentResult.empty(section, wanted));
                    }
                }
            }
        }
        if (experiments.isEmpty()) {
            throw new IllegalArgumentException("no row of the selected sections matches '" + settings.rows() + "'");
        }
    }

    /**
     * Measures and writes the results.
     *
     * @return whether every row that this machine supports was measured
     * @throws IOException if nothing can be measured or the results cannot be written
     */
    public boolean run() throws IOException, InterruptedException {
        List<Step> steps = Step.of(experiments);
        steps.forEach(this::skipWhatIsMissing);
        List<Step> possible = steps.stream().filter(step -> step.rows().getFirst().skipped().isEmpty()).toList();
        double ofRound = possible.stream().mapToDouble(step -> step.estimateSeconds(settings)).sum();
        double estimate = ofRound * settings.rounds() + DRIVER_WARM_UP_SECONDS;
        MatrixReport report = MatrixReport.prepare(settings, experiments);
        out.println(announcement(possible, estimate));
        for (RowResult row : skipped()) {
            out.println("  left out: " + row.row().name() + ": " + row.skipped());
        }
        Progress progress = new Progress(out, estimate);
        try (Workspace workspace = Workspace.create()) {
            Images images = new Images(settings, workspace);
            for (int round = 1; round <= settings.rounds(); round++) {
                for (Step step : possible) {
                    measure(step, images, workspace, progress, "round " + round + " of " + settings.rounds());
                    if (workspace.closed()) {
                        return false;
                    }
                    progress.done(step.estimateSeconds(settings));
                }
                report.write(round);
            }
        }
        progress.clear();
        out.print(report.summary());
        return experiments.stream().flatMap(experiment -> experiment.rows().stream()).allMatch(row -> row.failures().isEmpty());
    }

    private String announcement(List<Step> steps, double estimate) {
        int rows = steps.stream().mapToInt(step -> step.rows().size()).sum();
        return rows + " rows, " + settings.rounds() + (settings.rounds() == 1 ? " round" : " rounds") + " of " + settings.seconds() + " s each: about "
                + Progress.time(estimate) + ". Results go to " + settings.out() + " after every round.";
    }

    private List<RowResult> skipped() {
        return experiments.stream().flatMap(experiment -> experiment.rows().stream()).filter(row -> !row.skipped().isEmpty()).toList();
    }

    private void skipWhatIsMissing(Step step) {
        String missing = step.placed() ? PlacedRun.missing(settings) : "";
        if (missing.isEmpty()) {
            missing = step.backend().missing(settings);
        }
        if (missing.isEmpty() && step.rows().getFirst().row().workload() instanceof GuestFio) {
            missing = GuestRun.missing();
        }
        String why = missing;
        if (!why.isEmpty()) {
            step.rows().forEach(row -> row.skip(why));
        }
    }

    private void measure(Step step, Images images, Workspace workspace, Progress progress, String round) throws InterruptedException {
        String where = round + ", " + step.section().option() + ": ";
        List<RowResult> waiting = new ArrayList<>(step.rows());
        try {
            Path image = image(step, images, where, progress);
            if (step.placed()) {
                measurePlaced(step, image, workspace, progress, where, waiting);
                return;
            }
            try (RunningBackend backend = RunningBackend.start(step.backend(), image, workspace)) {
                if (step.rows().getFirst().row().workload() instanceof GuestFio) {
                    progress.show(where + step.rows().getFirst().row().name() + " and more, in a guest");
                    guest(step, backend);
                    waiting.clear();
                } else {
                    for (int i = 0; i < step.rows().size(); i++) {
                        RowResult row = step.rows().get(i);
                        progress.show(where + row.row().name() + " (" + step.backend().medium().text() + ")");
                        drive(row, step.warmUpSeconds(i, settings), backend, workspace, progress);
                        waiting.remove(row);
                    }
                }
            }
        } catch (IOException | RuntimeException failed) {
            if (!waiting.isEmpty()) {
                fail(waiting, message(failed), workspace, progress);
            } else if (!(step.backend() instanceof SluiceSpec)) {
                // Everything has been measured, and how a peer terminates is not compared.
                progress.say("  note: " + step.rows().getLast().row().name() + ": " + message(failed));
            } else {
                fail(List.of(step.rows().getLast()), message(failed), workspace, progress);
            }
        }
    }

    private void measurePlaced(Step step, Path image, Workspace workspace, Progress progress, String where, List<RowResult> waiting)
            throws IOException, InterruptedException {
        PlacedRun run = placedRun;
        if (run == null) {
            run = PlacedRun.in(workspace, settings);
            placedRun = run;
        }
        if (step.backend() instanceof FioSpec fio) {
            for (RowResult row : step.rows()) {
                progress.show(where + label(step, row));
                row.add(run.fio(fio, image, ((RingWorkload) row.row().workload()).plan()));
                waiting.remove(row);
            }
            return;
        }
        try (RunningBackend backend = run.start(step.backend(), image, workspace)) {
            for (int i = 0; i < step.rows().size(); i++) {
                RowResult row = step.rows().get(i);
                progress.show(where + label(step, row));
                try {
                    row.add(run.load((RingWorkload) row.row().workload(), backend, step.warmUpSeconds(i, settings)));
                } catch (IOException failed) {
                    fail(List.of(row), message(failed) + " (the backend: " + backend.lastWords() + ")", workspace, progress);
                }
                waiting.remove(row);
            }
        }
    }

    private String label(Step step, RowResult row) {
        String table = experiments.stream()
                .filter(experiment -> experiment.section() == step.section() && experiment.rows().contains(row))
                .map(experiment -> experiment.experiment().title())
                .findFirst()
                .orElse("");
        return row.row().name() + " (" + table + ")";
    }

    private static Path image(Step step, Images images, String where, Progress progress) throws IOException {
        Medium medium = step.backend().medium();
        if (!medium.hasImage()) {
            return Places.WORDS.image();
        }
        if (!images.tried(medium)) {
            progress.show(where + "creating the image on the " + medium.text());
        }
        return images.on(medium, step.backend().disks());
    }

    private void drive(RowResult row, double warmUpSeconds, RunningBackend backend, Workspace workspace, Progress progress)
            throws InterruptedException {
        if (!(row.row().workload() instanceof DriverLoad load)) {
            throw new IllegalStateException(row.row() + " is not a load of the driver");
        }
        double warmUp = warmUpSeconds + (driverWarm ? 0 : DRIVER_WARM_UP_SECONDS);
        driverWarm = true;
        try (BlockDriver driver = LoadedDisk.open(backend.socket(), load.plan(warmUp, settings.seconds()), load.opened())) {
            LoadReport report = new Load(load.plan(warmUp, settings.seconds()), driver, backend.process(), backend.stats()).run();
            if (report.clean()) {
                row.add(Sample.of(report));
            } else {
                fail(List.of(row), report.all().errors() + " of " + report.all().requests() + " requests failed", workspace, progress);
            }
        } catch (IOException | RuntimeException failed) {
            fail(List.of(row), message(failed) + " (the backend: " + backend.lastWords() + ")", workspace, progress);
        }
    }

    private void guest(Step step, RunningBackend backend) throws IOException, InterruptedException {
        List<GuestFio> loads = step.rows().stream().map(row -> (GuestFio) row.row().workload()).toList();
        Map<Integer, Sample> samples = new GuestRun(backend.process(), backend.stats()).run(backend, loads, settings.seconds());
        for (int i = 0; i < loads.size(); i++) {
            Sample sample = samples.get(loads.get(i).jobs());
            if (sample != null) {
                step.rows().get(i).add(sample);
            }
        }
    }

    private static void fail(List<RowResult> rows, String why, Workspace workspace, Progress progress) {
        if (workspace.closed()) {
            return; // The process is terminating, and the measurement with it.
        }
        rows.forEach(row -> row.fail(why));
        progress.say("  failed: " + rows.getFirst().row().name() + (rows.size() > 1 ? " and " + (rows.size() - 1) + " more" : "") + ": " + why);
    }

    private static String message(Exception failed) {
        String message = failed.getMessage();
        return message == null ? failed.toString() : message;
    }
}
