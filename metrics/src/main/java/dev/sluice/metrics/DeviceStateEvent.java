package dev.sluice.metrics;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A queue started, stopped or broke, or a front end connected or disconnected, for Java Flight Recorder. */
@Name("dev.sluice.DeviceState")
@Label("Device state change")
@Category("Sluice")
@StackTrace(false)
@SuppressWarnings("UnusedVariable") // the recorder reads the fields
final class DeviceStateEvent extends Event {
    static final int NO_QUEUE = -1;

    @Label("Device")
    private final String device;

    @Label("Queue, -1 for the device")
    private final int queue;

    @Label("Change")
    private final String change;

    @Label("Process of the front end")
    private final int peerPid;

    DeviceStateEvent(String device, int queue, String change, int peerPid) {
        this.device = device;
        this.queue = queue;
        this.change = change;
        this.peerPid = peerPid;
    }
}
