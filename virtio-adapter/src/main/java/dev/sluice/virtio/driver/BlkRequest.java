package dev.sluice.virtio.driver;

/**
 * Request types and statuses as the driver writes and reads them. VIRTIO 1.3 §5.2.6.
 *
 * <p>Named here and not taken from the device side, so that a wrong number on either side fails a test.
 */
public final class BlkRequest {
    public static final int T_IN = 0;
    public static final int T_OUT = 1;
    public static final int T_FLUSH = 4;
    public static final int T_GET_ID = 8;
    public static final int T_DISCARD = 11;
    public static final int T_WRITE_ZEROES = 13;

    public static final int S_OK = 0;
    public static final int S_IOERR = 1;
    public static final int S_UNSUPP = 2;

    /** What the driver leaves in the status byte before it submits: a device that writes no status is seen. */
    public static final int S_NOT_WRITTEN = 0xFF;

    /** Always 512 bytes, whatever {@code blk_size} says. */
    public static final int SECTOR_BYTES = 512;

    /** Bytes that a GET_ID fills. */
    public static final int ID_BYTES = 20;

    private BlkRequest() {}

    /** True where the data of the request is device-writable: it flows to the driver. */
    public static boolean deviceWritesData(int type) {
        return type == T_IN || type == T_GET_ID;
    }

    /** The name of a status byte, for messages. */
    public static String statusName(int status) {
        return switch (status) {
            case S_OK -> "OK";
            case S_IOERR -> "IOERR";
            case S_UNSUPP -> "UNSUPP";
            case S_NOT_WRITTEN -> "not written";
            default -> "unknown status " + status;
        };
    }

    /** The name of a request type, for messages. */
    public static String typeName(int type) {
        return switch (type) {
            case T_IN -> "read";
            case T_OUT -> "write";
            case T_FLUSH -> "flush";
            case T_GET_ID -> "get-id";
            case T_DISCARD -> "discard";
            case T_WRITE_ZEROES -> "write-zeroes";
            default -> "type " + type;
        };
    }
}
