package dev.sluice.examples.device;

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
