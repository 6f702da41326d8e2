package dev.sluice.server.disk;

import java.util.Locale;

/** Numbers of bytes as people write them: 512, 4k, 1m, 2G. */
public final class ByteSize {
    private static final String UNITS = "kmgt";

    private ByteSize() {}

    /**
     * Parses one.
     *
     * @param option named in the message
     * @throws IllegalArgumentException if the text is not one, or exceeds a long
     */
    public static long parse(String option, String text) {
        String number = text.toLowerCase(Locale.ROOT).strip();
        int unit = number.isEmpty() ? -1 : UNITS.indexOf(number.charAt(number.length() - 1));
        try {
            long value = Long.parseLong(unit < 0 ? number : number.substring(0, number.length() - 1));
            return Math.multiplyExact(value, 1L << (10 * (unit + 1)));
        } catch (ArithmeticException | NumberFormatException wrong) {
            throw new IllegalArgumentException(option + " '" + text + "' is not a number of bytes such as 512, 4k, 1m or 2G", wrong);
        }
    }
}
