package dev.sluice.metrics;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** A request that took longer than the threshold, for Java Flight Recorder. Made only for such requests. */
@Name("dev.sluice.SlowRequest")
@Label("Slow block request")
@Category("Sluice")
@StackTrace(false)
@SuppressWarnings("UnusedVariable") // the recorder reads the fields
final class SlowRequestEvent extends Event {
    @Label("Device")
    private final String device;

    @Label("Queue")
    private final int queue;

    @Label("Operation")
    private final String op;

    @Label("Length")
    @DataAmount
    private final long bytes;

    @Label("Errno")
    private final int errno;

    @Label("Wait")
    @Timespan(Timespan.NANOSECONDS)
    private final long waitTime;

    @Label("Device time")
    @Timespan(Timespan.NANOSECONDS)
    private final long deviceTime;

    @Label("Bypassed")
    private final boolean bypassed;

    SlowRequestEvent(String device, int queue, String op, long bytes, int errno, long waitTime, long deviceTime, boolean bypassed) {
        this.device = device;
        this.queue = queue;
        this.op = op;
        this.bytes = bytes;
        this.errno = errno;
        this.waitTime = waitTime;
        this.deviceTime = deviceTime;
        this.bypassed = bypassed;
    }
}
