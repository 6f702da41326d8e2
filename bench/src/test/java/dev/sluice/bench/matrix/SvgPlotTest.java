package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class SvgPlotTest {
    private static final String BLUE = "#1f77b4";
    private static final int BAR_HEIGHT = 16;

    @Test
    void shouldDrawABarForEachRowInProportionAndSayWhatFailed() throws Exception {
        ExperimentResult results = Results.table("baseline", "+ pool", "+ batching");
        results.rows().get(0).add(Results.sample(1, 100));
        results.rows().get(1).add(Results.sample(1, 150));
        results.rows().get(1).add(Results.sample(1, 250));
        results.rows().get(2).fail("no luck");
        Document svg = parse(new SvgPlot("a title").text(List.of(results)));

        List<Element> bars = elements(svg, "rect").stream()
                .filter(bar -> bar.getAttribute("fill").equals(BLUE) && bar.getAttribute("height").equals(Integer.toString(BAR_HEIGHT)))
                .toList();
        assertThat(bars).hasSize(2);
        double first = Double.parseDouble(bars.get(0).getAttribute("width"));
        double second = Double.parseDouble(bars.get(1).getAttribute("width"));
        assertThat(second / first).isBetween(1.99, 2.01);
        assertThat(elements(svg, "path")).as("whiskers of the row with two rounds").hasSize(1);
        assertThat(elements(svg, "text")).extracting(Element::getTextContent)
                .contains("a title", "A <title> & more", "requests/CPU s, more is better", "baseline", "+ pool", "200", "failed");
    }

    @Test
    void shouldStayWithinItsEdges() throws Exception {
        ExperimentResult results = Results.table("baseline", "+ pool");
        results.rows().get(0).add(Results.sample(1, 3));
        results.rows().get(1).add(Results.sample(1, 1e9));
        Document svg = parse(new SvgPlot("a title").text(List.of(results, results, results)));
        double width = Double.parseDouble(svg.getDocumentElement().getAttribute("width"));
        double height = Double.parseDouble(svg.getDocumentElement().getAttribute("height"));
        for (Element bar : elements(svg, "rect")) {
            assertThat(number(bar, "x") + number(bar, "width")).isLessThanOrEqualTo(width);
            assertThat(number(bar, "y") + number(bar, "height")).isLessThanOrEqualTo(height);
        }
    }

    private static double number(Element element, String attribute) {
        String value = element.getAttribute(attribute);
        return value.isEmpty() ? 0 : Double.parseDouble(value);
    }

    private static Document parse(String text) throws Exception {
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(text)));
    }

    private static List<Element> elements(Document document, String name) {
        NodeList found = document.getElementsByTagName(name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < found.getLength(); i++) {
            elements.add((Element) found.item(i));
        }
        return elements;
    }
}
