package dev.sluice.bench.matrix;

import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/**
 * The results at a glance: a panel of bars for each table, with its headline figure; whiskers from least to most. Plain SVG 1.1 shapes, written with the JDK's
 * own XML writer: a chart library would depend on AWT, and that on fonts that a server lacks. Not thread safe.
 */
final class SvgPlot {
    private static final int COLUMNS = 2;
    private static final int PANEL_WIDTH = 620;
    private static final int GAP = 24;
    private static final int LABEL_WIDTH = 250;
    private static final int VALUE_WIDTH = 80;
    private static final int TITLE_HEIGHT = 44;
    private static final int BAR_HEIGHT = 16;
    private static final int BAR_STEP = 22;
    private static final int HEADER_HEIGHT = 64;
    private static final String SLUICE = "#1f77b4";
    private static final String PEER = "#b0b0b0";
    private static final String INK = "#222222";
    private static final String FAINT = "#777777";
    private static final String FAILED = "#c03030";
    private static final String FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif";

    private final String title;

    SvgPlot(String title) {
        this.title = title;
    }

    String text(List<ExperimentResult> experiments) {
        StringWriter out = new StringWriter();
        try {
            XMLStreamWriter xml = XMLOutputFactory.newDefaultFactory().createXMLStreamWriter(out);
            write(xml, experiments);
            xml.close();
        } catch (XMLStreamException impossible) {
            throw new IllegalStateException("writing to a string failed", impossible);
        }
        return out + "\n";
    }

    private void write(XMLStreamWriter xml, List<ExperimentResult> experiments) throws XMLStreamException {
        List<Integer> tops = new ArrayList<>();
        int top = HEADER_HEIGHT;
        for (int i = 0; i < experiments.size(); i += COLUMNS) {
            int tallest = 0;
            for (int j = i; j < Math.min(i + COLUMNS, experiments.size()); j++) {
                tops.add(top);
                tallest = Math.max(tallest, TITLE_HEIGHT + experiments.get(j).rows().size() * BAR_STEP);
            }
            top += tallest + GAP;
        }
        int width = COLUMNS * PANEL_WIDTH + (COLUMNS + 1) * GAP;
        xml.writeStartElement("svg");
        xml.writeDefaultNamespace("http://www.w3.org/2000/svg");
        attributes(xml, "width", width, "height", top, "viewBox", "0 0 " + width + " " + top, "font-family", FONT, "font-size", 12);
        shape(xml, "rect", "width", width, "height", top, "fill", "#ffffff");
        label(xml, GAP, 28, "start", INK, 18, title);
        shape(xml, "rect", "x", GAP, "y", 40, "width", 12, "height", 12, "fill", SLUICE);
        label(xml, GAP + 18, 50, "start", INK, 12, "sluice");
        shape(xml, "rect", "x", GAP + 80, "y", 40, "width", 12, "height", 12, "fill", PEER);
        label(xml, GAP + 98, 50, "start", INK, 12, "qemu-storage-daemon");
        for (int i = 0; i < experiments.size(); i++) {
            panel(xml, GAP + i % COLUMNS * (PANEL_WIDTH + GAP), tops.get(i), experiments.get(i));
        }
        xml.writeEndElement();
    }

    private static void panel(XMLStreamWriter xml, int left, int top, ExperimentResult experiment) throws XMLStreamException {
        Metric metric = experiment.experiment().headline();
        label(xml, left, top + 14, "start", INK, 14, experiment.experiment().title());
        label(xml, left, top + 31, "start", FAINT, 12, metric.title() + (metric.moreIsBetter() ? ", more is better" : ", less is better"));
        double most = experiment.rows().stream().flatMap(row -> row.spread(metric).stream()).mapToDouble(Spread::most).max().orElse(1);
        int at = top + TITLE_HEIGHT;
        for (RowResult row : experiment.rows()) {
            bar(xml, left, at, row, metric, most > 0 ? most : 1);
            at += BAR_STEP;
        }
    }

    private static void bar(XMLStreamWriter xml, int left, int top, RowResult row, Metric metric, double most) throws XMLStreamException {
        double scale = (PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
        int zero = left + LABEL_WIDTH;
        int middle = top + BAR_HEIGHT / 2;
        label(xml, zero - 8, middle + 4, "end", INK, 12, row.row().name().replace("`", ""));
        Optional<Spread> measured = row.spread(metric);
        if (measured.isEmpty()) {
            label(xml, zero, middle + 4, "start", row.failures().isEmpty() ? FAINT : FAILED, 12, row.failures().isEmpty() ? "left out" : "failed");
            return;
        }
        Spread spread = measured.get();
        shape(xml, "rect", "x", zero, "y", top, "width", coordinate(spread.median() * scale), "height", BAR_HEIGHT,
                "fill", row.row().backend() instanceof SluiceSpec ? SLUICE : PEER);
        if (spread.most() > spread.least()) {
            String from = coordinate(zero + spread.least() * scale);
            String to = coordinate(zero + spread.most() * scale);
            shape(xml, "path", "d", "M" + from + " " + middle + "H" + to + "M" + from + " " + (middle - 4) + "v8M" + to + " " + (middle - 4) + "v8",
                    "stroke", INK, "fill", "none");
        }
        label(xml, left + PANEL_WIDTH, middle + 4, "end", INK, 12, metric.format(spread.median()));
    }

    private static void label(XMLStreamWriter xml, int x, int y, String anchor, String colour, int size, String text) throws XMLStreamException {
        xml.writeStartElement("text");
        attributes(xml, "x", x, "y", y, "text-anchor", anchor, "fill", colour, "font-size", size);
        xml.writeCharacters(text);
        xml.writeEndElement();
    }

    private static void shape(XMLStreamWriter xml, String element, Object... namesAndValues) throws XMLStreamException {
        xml.writeEmptyElement(element);
        attributes(xml, namesAndValues);
    }

    private static void attributes(XMLStreamWriter xml, Object... namesAndValues) throws XMLStreamException {
        for (int i = 0; i < namesAndValues.length; i += 2) {
            xml.writeAttribute(namesAndValues[i].toString(), namesAndValues[i + 1].toString());
        }
    }

    private static String coordinate(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }
}
