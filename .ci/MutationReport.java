import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;

/**
 * Sums up the XML reports of PIT: {@code java MutationReport.java RESULTS LISTS [DOCUMENT]}. A class is its top-level class with what is nested in it. Exit status 1 if a target is missed
 * or the lists name a mutant that does not exist or is detected. DOCUMENT gets the table between its two markers.
 */
public final class MutationReport {
    /** Detected of those that are not listed as equivalent, and listed of all, in percent. */
    private static final double LEAST_DETECTED = 90;
    private static final double MOST_LISTED = 5;

    private record Mutant(String type, String method, String mutator, int line, int index, String status) {
        boolean detected() {
            return !status.equals("SURVIVED") && !status.equals("NO_COVERAGE");
        }

        String kind() {
            return type + " " + method + " " + mutator;
        }
    }

    private static final class Row {
        int all;
        int detected;
        int timedOut;
        int listed;

        void add(Mutant mutant, boolean isListed) {
            all++;
            if (mutant.detected()) {
                detected++;
            } else if (isListed) {
                listed++;
            }
            if (mutant.status().equals("TIMED_OUT")) {
                timedOut++;
            }
        }

        double score() {
            return all == listed ? 100 : 100.0 * detected / (all - listed);
        }

        String cells(String name) {
            return String.format("| %s | %d | %d | %d | %d | %.1f %% |%n", name, all, detected, timedOut, listed, score());
        }
    }

    public static void main(String[] arguments) throws Exception {
        List<Mutant> mutants = read(Path.of(arguments[0]));
        Set<String> equivalents = equivalents(Path.of(arguments[1]));
        if (mutants.isEmpty()) {
            System.err.println("no results in " + arguments[0] + ": run .ci/mutation first");
            System.exit(1);
        }
        TreeMap<String, Row> rows = new TreeMap<>();
        Row sum = new Row();
        Map<String, Integer> ordinals = new HashMap<>();
        Set<String> unused = new HashSet<>(equivalents);
        List<String> survivors = new ArrayList<>();
        for (Mutant mutant : mutants) {
            String key = mutant.kind() + " " + ordinals.merge(mutant.kind(), 1, Integer::sum);
            boolean listed = equivalents.contains(key);
            if (listed && !mutant.detected()) {
                unused.remove(key);
            }
            rows.computeIfAbsent(mutant.type().replaceFirst("\\$.*", ""), name -> new Row()).add(mutant, listed);
            sum.add(mutant, listed);
            if (!listed && !mutant.detected()) {
                survivors.add(key + " (line " + mutant.line() + ", " + mutant.status() + ")");
            }
        }
        StringBuilder table = new StringBuilder(String.format("| class | mutants | detected | of these timed out | listed as equivalent | score |%n|---|---|---|---|---|---|%n"));
        rows.forEach((name, row) -> table.append(row.cells(name)));
        table.append(sum.cells("**all**"));
        System.out.println("Not detected:");
        survivors.forEach(survivor -> System.out.println("  " + survivor));
        System.out.print(table);
        if (arguments.length > 2) {
            write(Path.of(arguments[2]), LocalDate.now() + String.format(", PIT with its STRONGER mutators:%n%n") + table);
        }
        boolean good = true;
        for (String key : unused) {
            good = false;
            System.out.println("FAILED: listed as equivalent, but detected or not there: " + key);
        }
        if (sum.score() < LEAST_DETECTED) {
            good = false;
            System.out.printf("FAILED: %.1f %% detected, %.0f are wanted%n", sum.score(), LEAST_DETECTED);
        }
        if (100.0 * sum.listed / sum.all > MOST_LISTED) {
            good = false;
            System.out.printf("FAILED: %d of %d are listed as equivalent, at most %.0f %% may be%n", sum.listed, sum.all, MOST_LISTED);
        }
        System.exit(good ? 0 : 1);
    }

    /** In the order of the bytecode within a method, from which ordinals are counted. */
    private static List<Mutant> read(Path results) throws Exception {
        List<Mutant> mutants = new ArrayList<>();
        for (Path file : files(results, ".xml")) {
            var nodes = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file.toFile()).getElementsByTagName("mutation");
            for (int i = 0; i < nodes.getLength(); i++) {
                Element node = (Element) nodes.item(i);
                mutants.add(new Mutant(lastPart(text(node, "mutatedClass")), text(node, "mutatedMethod"), lastPart(text(node, "mutator")), Integer.parseInt(text(node, "lineNumber")),
                    Integer.parseInt(text(node, "index")), node.getAttribute("status")));
            }
        }
        mutants.sort(Comparator.comparing(Mutant::kind).thenComparingInt(Mutant::line).thenComparingInt(Mutant::index));
        return mutants;
    }

    private static Set<String> equivalents(Path lists) throws IOException {
        Set<String> keys = new HashSet<>();
        for (Path file : files(lists, ".equivalents")) {
            for (String line : Files.readAllLines(file)) {
                if (line.isBlank() || line.startsWith("#")) {
                    continue;
                }
                String[] words = line.trim().split("\\s+", 5);
                if (words.length < 5) {
                    throw new IllegalArgumentException(file + ": class, method, mutator, ordinal and reason are wanted: " + line);
                }
                keys.add(String.join(" ", words[0], words[1], words[2], words[3]));
            }
        }
        return keys;
    }

    private static List<Path> files(Path directory, String suffix) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> file.toString().endsWith(suffix)).sorted().toList();
        }
    }

    private static void write(Path document, String text) {
        try {
            String before = Files.readString(document);
            String start = "<!-- mutation -->\n";
            String end = "<!-- end of mutation -->\n";
            Files.writeString(document, before.substring(0, before.indexOf(start) + start.length()) + text + before.substring(before.indexOf(end)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String text(Element node, String name) {
        return node.getElementsByTagName(name).item(0).getTextContent();
    }

    private static String lastPart(String name) {
        return name.substring(name.lastIndexOf('.') + 1);
    }
}
