package dev.sluice.bench.device;

/**
 * The results of one round of a candidate. Times are in microseconds; unknown figures are NaN.
 *
 * @param requests completed in the measured time
 * @param iops requests per second
 * @param cpuMicros user and system time of the whole process per request
 * @param p50Micros median latency, from the submission to its completion
 * @param p99Micros 99 of 100 requests were not slower
 * @param p999Micros 999 of 1000
 * @param heapBytes bytes of heap that all threads of the process allocated per request
 * @param errors requests that failed or were short
 */
record DeviceFigures(
        long requests, double iops, double cpuMicros, double p50Micros, double p99Micros, double p999Micros, double heapBytes, long errors) {

    /** The figures that are compared, by their names in JSON. */
    enum Figure {
        IOPS("iops"),
        CPU("cpuMicrosPerRequest"),
        P50("p50Micros"),
        P99("p99Micros"),
        P999("p999Micros"),
        HEAP("heapBytesPerRequest");

        private final String json;

        Figure(String json) {
            this.json = json;
        }

        String json() {
            return json;
        }

        double of(DeviceFigures figures) {
            return switch (this) {
                case IOPS -> figures.iops;
                case CPU -> figures.cpuMicros;
                case P50 -> figures.p50Micros;
                case P99 -> figures.p99Micros;
                case P999 -> figures.p999Micros;
                case HEAP -> figures.heapBytes;
            };
        }
    }
}
