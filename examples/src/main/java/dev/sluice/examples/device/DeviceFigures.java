package dev.sluice.examples.device;

import java.util.function.ToDoubleFunction;

/**
 * What one round of a contender showed. Times are in microseconds; what is unknown is NaN.
 *
 * @param requests completed in the measured time
 * @param iops requests a second
 * @param cpuMicros user and system time of the whole process for each request
 * @param p50Micros median latency, from the submission to its completion
 * @param p99Micros 99 of 100 requests were not slower
 * @param p999Micros 999 of 1000
 * @param heapBytes bytes of heap that all threads of the process allocated for each request
 * @param errors requests that failed or moved less than they should
 */
record DeviceFigures(
        long requests, double iops, double cpuMicros, double p50Micros, double p99Micros, double p999Micros, double heapBytes, long errors) {

    /** The figures that are compared, by the names they have in JSON. */
    enum Figure {
        IOPS("iops", DeviceFigures::iops),
        CPU("cpuMicrosPerRequest", DeviceFigures::cpuMicros),
        P50("p50Micros", DeviceFigures::p50Micros),
        P99("p99Micros", DeviceFigures::p99Micros),
        P999("p999Micros", DeviceFigures::p999Micros),
        HEAP("heapBytesPerRequest", DeviceFigures::heapBytes);

        private final String json;
        private final transient ToDoubleFunction<DeviceFigures> of;

        Figure(String json, ToDoubleFunction<DeviceFigures> of) {
            this.json = json;
            this.of = of;
        }

        String json() {
            return json;
        }

        double of(DeviceFigures figures) {
            return of.applyAsDouble(figures);
        }
    }
}
