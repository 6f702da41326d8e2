package dev.sluice.pipeline;

/**
 * Text from outside, such as a path, as it can stand in a line that others read: what would end the line or steer a terminal is shown escaped.
 *
 * <p><b>Threading:</b> any. <b>Allocation:</b> none where there is nothing to escape.
 */
public final class LogText {
    private LogText() {}

    /** The text with control characters, line separators and what changes the direction of writing as {@code \n}, {@code \x1B} or {@code \}{@code u2028}. */
    public static String escaped(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (mustEscape(text.charAt(i))) {
                return escape(text);
            }
        }
        return text;
    }

    private static String escape(String text) {
        StringBuilder shown = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!mustEscape(c)) {
                shown.append(c);
            } else if (c == '\n') {
                shown.append("\\n");
            } else if (c == '\r') {
                shown.append("\\r");
            } else if (c == '\t') {
                shown.append("\\t");
            } else if (c < 0x100) {
                shown.append(String.format(java.util.Locale.ROOT, "\\x%02X", (int) c));
            } else {
                shown.append(String.format(java.util.Locale.ROOT, "\\u%04X", (int) c));
            }
        }
        return shown.toString();
    }

    private static boolean mustEscape(char c) {
        return Character.isISOControl(c) || c == '\u2028' || c == '\u2029' || c == '\u200E' || c == '\u200F' || (c >= '\u202A' && c <= '\u202E')
                || (c >= '\u2066' && c <= '\u2069');
    }
}
