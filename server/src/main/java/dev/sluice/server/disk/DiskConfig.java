package dev.sluice.server.disk;

import com.fasterxml.jackson.annotation.JsonAutoDetect.Visibility;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.PropertyBindingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.sluice.aio.nullbackend.NullBackend;
import dev.sluice.server.cli.NotUtf8Exception;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A file of disks, in YAML (or JSON, which YAML contains):
 *
 * <pre>
 * disks:
 *   - name: root                  # default: the image's file name
 *     image: root.img             # relative to this file
 *     socket: /run/sluice/root.sock
 *     queues: 4
 *   - image: /dev/vg/data
 *     activation: data            # instead of socket: the name of a socket passed by the service manager
 *     read-only: true
 *     serial: data-1
 * </pre>
 *
 * <p>Every setting of {@link DiskSpec.Builder} is a key of that name: {@code queue-size}, {@code seg-max}, {@code backend}, {@code direct},
 * {@code stages} and so on; so a new setting needs no change here. An unknown key, a duplicate or a missing value is an error.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> {@link IOException} with one line that names the place and the problem.
 */
public final class DiskConfig {
    private static final String DISKS = "disks";
    private static final String IMAGE = "image";
    private static final String SOCKET = "socket";
    private static final String ACTIVATION = "activation";
    private static final String STATE_FILE = "state-file";
    private static final String BACKEND = "backend";
    private static final int MAX_BYTES = 1 << 20;

    /** Settings with their own keys here, and those that only the command line has, for measurements. */
    @JsonIgnoreProperties({IMAGE, STATE_FILE, "endpoint", "measurement"})
    private interface SettingsOnly {}

    private static final ObjectMapper YAML = JsonMapper.builder(new YAMLFactory())
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .build();

    private static final ObjectMapper SETTINGS = JsonMapper.builder()
            .visibility(PropertyAccessor.ALL, Visibility.NONE)
            .visibility(PropertyAccessor.FIELD, Visibility.ANY)
            .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .enable(DeserializationFeature.FAIL_ON_IGNORED_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
            .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
            // Without quotes YAML reads 0123 as the number 83: better refused than a serial that nobody has written.
            .withCoercionConfig(LogicalType.Textual, texts -> texts
                    .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                    .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                    .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
            // "" would become null, 0, false or an empty list, depending on the expected type.
            .withCoercionConfigDefaults(all -> all
                    .setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail)
                    .setCoercion(CoercionInputShape.EmptyArray, CoercionAction.Fail))
            .addMixIn(DiskSpec.Builder.class, SettingsOnly.class)
            .build();

    private DiskConfig() {}

    /** The disks in a file, in order; their names, sockets and writable images are unique. */
    public static List<DiskSpec> read(Path file) throws IOException {
        JsonNode root = parse(file);
        JsonNode list = root.path(DISKS);
        if (!(root instanceof ObjectNode top) || !list.isArray()) {
            throw new IOException(file + ": there is no list 'disks:' at the top: see the documentation of --config");
        }
        for (String key : names(top)) {
            if (!key.equals(DISKS)) {
                throw new IOException(file + ": there is no setting '" + key + "' at the top; known: disks");
            }
        }
        List<DiskSpec> disks = new ArrayList<>();
        Set<String> taken = new HashSet<>();
        Map<Object, DiskSpec> byImage = new HashMap<>();
        for (JsonNode entry : list) {
            String named = entry.path("name").asText();
            String where = file + ": disk " + (disks.size() + 1) + (DiskSpec.isName(named) ? " (" + named + ")" : "");
            DiskSpec disk = disk(where, entry, file.toAbsolutePath().getParent());
            unique(where, taken, "name " + disk.name());
            if (disk.stateFile() != null) {
                unique(where, taken, "state file " + disk.stateFile().normalize());
            }
            unique(where, taken, disk.endpoint() instanceof Endpoint.SocketPath(Path path) ? "socket " + path.normalize() : disk.endpoint().toString());
            DiskSpec other = byImage.putIfAbsent(identity(disk.image()), disk);
            // The images' locks would refuse this too, but only after disks had been closed.
            if (other != null && !(disk.readOnly() && other.readOnly())) {
                throw new IOException(where + ": disk " + other.name() + " already uses the image " + other.image() + ": give each its own, or make both"
                        + " read-only");
            }
            disks.add(disk);
        }
        return List.copyOf(disks);
    }

    /** Equal for two paths of one file. */
    private static Object identity(Path image) {
        try {
            Object file = Files.readAttributes(image, BasicFileAttributes.class).fileKey();
            return file == null ? image.toRealPath() : file;
        } catch (IOException missing) {
            return image.toAbsolutePath().normalize();
        }
    }

    private static void unique(String where, Set<String> taken, String what) throws IOException {
        if (!taken.add(what)) {
            throw new IOException(where + ": another disk already has the " + what + ": give each its own");
        }
    }

    private static JsonNode parse(Path file) throws IOException {
        try (JsonParser parser = YAML.createParser(bytes(file))) {
            JsonNode first = YAML.readTree(parser);
            if (first != null && parser.nextToken() != null) {
                throw new IOException(file + " line " + parser.currentTokenLocation().getLineNr()
                        + ": a second document starts here: put all disks into one list, without '---' between them");
            }
            return first == null ? MissingNode.getInstance() : first;
        } catch (JsonProcessingException wrong) {
            JsonLocation location = wrong.getLocation();
            throw new IOException(file + (location == null ? "" : " line " + location.getLineNr()) + ": " + oneLine(wrong.getOriginalMessage()), wrong);
        }
    }

    private static byte[] bytes(Path file) throws IOException {
        try {
            if (Files.isDirectory(file)) {
                throw new IOException(file + ": is a directory: use a file of disks in it");
            }
            if (Files.size(file) > MAX_BYTES) {
                throw new IOException(file + ": larger than " + MAX_BYTES + " bytes: is it a file of disks?");
            }
            return NotUtf8Exception.check(file.toString(), Files.readAllBytes(file));
        } catch (NoSuchFileException missing) {
            throw new IOException(file + ": there is no such file: create it, or correct the path", missing);
        } catch (AccessDeniedException denied) {
            throw new IOException(file + ": permission denied: let the user of this process read it", denied);
        }
    }

    private static DiskSpec disk(String where, JsonNode entry, @Nullable Path directory) throws IOException {
        if (!(entry instanceof ObjectNode given)) {
            throw new IOException(where + ": not a list of settings: write 'image: PATH' and 'socket: PATH' under '-'");
        }
        for (Map.Entry<String, JsonNode> setting : given.properties()) {
            if (setting.getValue().isNull()) {
                throw new IOException(where + ": '" + setting.getKey() + ":' has no value: give it one, or omit it");
            }
            for (JsonNode element : setting.getValue()) {
                if (element.isNull()) {
                    throw new IOException(where + ": '" + setting.getKey() + ":' has an element without a value: give it one, or omit it");
                }
            }
        }
        if (given.path(BACKEND).asText().equals(NullBackend.NAME)) {
            throw new IOException(where + ": 'backend: " + NullBackend.NAME + "' has no image and is for measurements from the command line: use another one");
        }
        ObjectNode settings = given.deepCopy();
        String image = text(where, settings.remove(IMAGE), IMAGE);
        String socket = text(where, settings.remove(SOCKET), SOCKET);
        String activation = text(where, settings.remove(ACTIVATION), ACTIVATION);
        String stateFile = text(where, settings.remove(STATE_FILE), STATE_FILE);
        if (image == null) {
            throw new IOException(where + ": 'image:' is missing: set it to a raw image");
        }
        if (socket != null && activation != null) {
            throw new IOException(where + ": both 'socket:' and 'activation:': omit one of them");
        }
        Endpoint endpoint;
        if (socket != null) {
            endpoint = new Endpoint.SocketPath(resolved(directory, socket));
        } else if (activation != null) {
            endpoint = new Endpoint.Activated(activation);
        } else {
            throw new IOException(where + ": 'socket:' is missing: set it to the path where front ends connect");
        }
        try {
            DiskSpec.Builder builder = DiskSpec.of(resolved(directory, image), endpoint).stateFile(stateFile == null ? null : resolved(directory, stateFile));
            return SETTINGS.readerForUpdating(builder).<DiskSpec.Builder>readValue(settings).build();
        } catch (PropertyBindingException unknown) {
            Collection<Object> keys = Objects.requireNonNullElse(unknown.getKnownPropertyIds(), List.of());
            String known = keys.stream().map(Object::toString).sorted().collect(Collectors.joining(", "));
            throw new IOException(where + ": there is no setting '" + unknown.getPropertyName() + "'; known: image, socket, activation, state-file, "
                    + known, unknown);
        } catch (JsonMappingException wrong) {
            // An element of a list has no name.
            String path = wrong.getPath().stream().map(JsonMappingException.Reference::getFieldName).filter(Objects::nonNull).collect(Collectors.joining("."));
            throw new IOException(where + ": '" + path + ":' " + problem(wrong), wrong);
        } catch (IllegalArgumentException outOfRange) {
            throw new IOException(where + ": " + outOfRange.getMessage(), outOfRange);
        }
    }

    private static String problem(JsonMappingException wrong) {
        if (wrong instanceof InvalidFormatException format && format.getTargetType() == String.class) {
            return "is not a string but " + format.getValue() + ": put it in quotes";
        }
        if (wrong instanceof MismatchedInputException mismatch && mismatch.getTargetType() != null) {
            String wanted = wanted(mismatch.getTargetType());
            if (wanted != null) {
                return wrong instanceof InvalidFormatException format ? "is '" + format.getValue() + "', not " + wanted : "is not " + wanted;
            }
        }
        return oneLine(wrong.getOriginalMessage());
    }

    private static @Nullable String wanted(Class<?> type) {
        if (type == int.class || type == Integer.class) {
            return "a whole number";
        }
        if (type == boolean.class) {
            return "true or false";
        }
        if (type == String.class) {
            return "a string";
        }
        if (type.isEnum()) {
            return "one of " + Stream.of(type.getEnumConstants()).map(Object::toString).collect(Collectors.joining(", "));
        }
        if (Collection.class.isAssignableFrom(type)) {
            return "a list: write it as [ONE, OTHER]";
        }
        return Map.class.isAssignableFrom(type) ? "a map: write it as {QUEUE: LOOP}" : null;
    }

    private static @Nullable String text(String where, @Nullable JsonNode value, String key) throws IOException {
        if (value == null) {
            return null;
        }
        if (!value.isValueNode() || value.asText().isBlank() || value.asText().indexOf('\0') >= 0) {
            throw new IOException(where + ": '" + key + ":' is not a string");
        }
        return value.asText();
    }

    private static Path resolved(@Nullable Path directory, String path) {
        return directory == null ? Path.of(path) : directory.resolve(path);
    }

    private static List<String> names(ObjectNode node) {
        List<String> names = new ArrayList<>();
        node.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static String oneLine(String message) {
        return message.strip().replaceAll("\\s*\\R\\s*", " ");
    }
}
