package dev.sluice.bench.matrix;

import dev.sluice.bench.device.FioRun;
import dev.sluice.bench.ring.CPrograms;
import dev.sluice.bench.ring.CpuPair;
import dev.sluice.bench.ring.PlacedCpus;
import dev.sluice.bench.ring.RingFigures;
import dev.sluice.bench.ring.RingLoad;
import dev.sluice.bench.ring.RingLoadPlan;
import dev.sluice.bench.ring.SteadyMeasurement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Measures rows whose backend and load are pinned to a CPU each, between two calibrations; repeated if the CPUs moved.
 *
 * <p><b>Threading:</b> one thread. <b>Ownership:</b> the compiled programs are in the workspace. <b>Failure:</b> an {@code IOException} that says what failed.
 */
final class PlacedRun {
    private final PlacedCpus cpus;
    private final Places.Tools tools;
    private final double seconds;

    private PlacedRun(PlacedCpus cpus, Places.Tools tools, double seconds) {
        this.cpus = cpus;
        this.tools = tools;
        this.seconds = seconds;
    }

    /** What this machine lacks to pin, calibrate and load, in one line; empty if nothing is missing. */
    static String missing(MatrixSettings settings) {
        if (settings.cpus() == null) {
            try {
                CpuPair _ = CpuPair.firstAllowed();
            } catch (IOException onlyOne) {
                return String.valueOf(onlyOne.getMessage());
            }
        }
        return CPrograms.missing();
    }

    /** Compiles the programs. */
    static PlacedRun in(Workspace workspace, MatrixSettings settings) throws IOException, InterruptedException {
        CPrograms programs = CPrograms.compile(Files.createDirectory(workspace.directory().resolve("programs")));
        CpuPair wanted = settings.cpus();
        CpuPair pair = wanted == null ? CpuPair.firstAllowed() : wanted;
        Path build = settings.spdk();
        Path spdk = build == null ? Places.WORDS.tools().spdk() : build.toAbsolutePath();
        return new PlacedRun(new PlacedCpus(programs, pair), new Places.Tools(programs.directory(), spdk, pair.backend()), settings.seconds());
    }

    /** Starts a backend on its CPU. */
    RunningBackend start(BackendSpec spec, Path image, Workspace workspace) throws IOException, InterruptedException {
        return RunningBackend.start(spec, image, tools, cpus::onBackendCpu, workspace);
    }

    /** Loads a backend and measures. */
    Sample load(RingWorkload load, RunningBackend backend, double warmUpSeconds) throws IOException, InterruptedException {
        return sample(() -> {
            RingFigures figures = new RingLoad(cpus).run(load.plan(), backend.sockets(), backend.pid(), warmUpSeconds, seconds);
            Map<Metric, Double> of = figures(figures.requestsPerSecond(), figures.backendCpuMicros());
            of.put(Metric.KICKS, figures.kicksPerRequest());
            of.put(Metric.CALLS, figures.callsPerRequest());
            double backendShare = figures.requestsPerSecond() * figures.backendCpuMicros() / 1e6;
            of.put(Metric.CPU_SHARE, load.backendSpins() ? Math.min(backendShare, figures.loadCpuShare()) : figures.loadCpuShare());
            return of;
        });
    }

    /** Runs fio on the image and measures. */
    Sample fio(FioSpec fio, Path image, RingLoadPlan plan) throws IOException, InterruptedException {
        return sample(() -> {
            FioRun.Figures figures =
                    FioRun.run(fio.engine(), image, plan.depth(), plan.blockBytes(), plan.writes(), Step.SETTLE_SECONDS, seconds, cpus::onBackendCpu);
            return figures(figures.iops(), figures.cpuMicros());
        });
    }

    private static Map<Metric, Double> figures(double perSecond, double cpuMicros) {
        Map<Metric, Double> figures = new EnumMap<>(Metric.class);
        figures.put(Metric.IOPS, perSecond);
        figures.put(Metric.CPU_MICROS, cpuMicros);
        if (cpuMicros > 0) {
            figures.put(Metric.PER_CPU_SECOND, 1e6 / cpuMicros);
        }
        return figures;
    }

    private Sample sample(SteadyMeasurement.Measurement<Map<Metric, Double>> measurement) throws IOException, InterruptedException {
        SteadyMeasurement.Placed<Map<Metric, Double>> placed = new SteadyMeasurement(cpus).run(measurement, figures -> !Sample.disturbed(figures));
        placed.value().put(Metric.ROUND_TRIP, placed.calibration().nanos());
        return new Sample(placed.value(), Optional.of(placed.calibration()));
    }
}
