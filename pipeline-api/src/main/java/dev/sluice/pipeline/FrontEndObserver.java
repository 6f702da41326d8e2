package dev.sluice.pipeline;

/**
 * Observes the connections of a front end, whatever protocol it speaks.
 *
 * <p><b>Threading:</b> the thread that serves the connection; connections that are served at the same time may report at the same time. <b>Failure:</b> must
 * not throw; a front end reports through {@link #guarded}.
 */
public interface FrontEndObserver {
    /** Sees nothing. */
    FrontEndObserver NONE = new FrontEndObserver() {};

    /** Something that happened to a connection. Each CONNECTED is followed by exactly one of the others. */
    enum ConnectionEvent {
        /** A client is connected. */
        CONNECTED,
        /** The client disconnected, or the front end was closed. */
        DISCONNECTED,
        /** The client broke a rule of the protocol and was disconnected. */
        VIOLATION,
        /** An error of the socket or an error of ours has ended the connection. */
        FAILED
    }

    /**
     * A client connected, or its connection ended.
     *
     * @param peerPid its process, 0 if that is not visible here
     */
    default void connectionEvent(ConnectionEvent event, int peerPid) {}

    /**
     * The same observer for a front end to report to: whatever it throws is logged and harms no connection.
     *
     * @param frontEnd names the front end in the log
     */
    static FrontEndObserver guarded(FrontEndObserver observer, String frontEnd) {
        return new GuardedFrontEndObserver(observer, frontEnd);
    }
}
