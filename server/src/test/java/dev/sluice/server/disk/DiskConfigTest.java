package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.virtio.blk.CacheMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskConfigTest {
    @TempDir
    Path directory;

    @Test
    void shouldReadEverySettingOfADisk() throws IOException {
        List<DiskSpec> disks = read("""
                disks:
                  - name: root
                    image: root.img
                    socket: /run/sluice/root.sock
                    backend: nio
                    read-only: true
                    direct: false
                    serial: "0123"
                    queues: 4
                    queue-size: 512
                    seg-max: 64
                    aio-max-events: 512
                    stages: [write-once, "audit:/var/log/x"]
                    cache: guest
                    state-file: root.state
                    allow-file-memory: true
                    loop-of-queue: {0: 1, 1: 0}
                  - image: /dev/vg/data
                    activation: data
                """);
        assertThat(disks).hasSize(2);
        DiskSpec root = disks.getFirst();
        assertThat(root.name()).isEqualTo("root");
        assertThat(root.image()).isEqualTo(directory.resolve("root.img"));
        assertThat(root.endpoint()).isEqualTo(new Endpoint.SocketPath(Path.of("/run/sluice/root.sock")));
        assertThat(root.backend()).isEqualTo("nio");
        assertThat(root.readOnly()).isTrue();
        assertThat(root.direct()).isFalse();
        assertThat(root.serial()).isEqualTo("0123");
        assertThat(root.queues()).isEqualTo(4);
        assertThat(root.queueSize()).isEqualTo(512);
        assertThat(root.segMax()).isEqualTo(64);
        assertThat(root.aioMaxEvents()).isEqualTo(512);
        assertThat(root.backendOptions().sinkCapacity()).isEqualTo(512);
        assertThat(root.stages()).containsExactly("write-once", "audit:/var/log/x");
        assertThat(root.cache()).isEqualTo(CacheMode.GUEST);
        assertThat(root.stateFile()).isEqualTo(directory.resolve("root.state"));
        assertThat(root.allowFileMemory()).isTrue();
        assertThat(root.loopOfQueue()).isEqualTo(Map.of(0, 1, 1, 0));
        DiskSpec data = disks.getLast();
        assertThat(data).isEqualTo(DiskSpec.of(Path.of("/dev/vg/data"), new Endpoint.Activated("data")).build());
        assertThat(data.name()).isEqualTo("data");
        assertThat(data.queueSize()).as("as on the command line").isEqualTo(1024);
    }

    @Test
    void shouldTakeAFileOfNoDisksAndOneInJson() throws IOException {
        assertThat(read("disks: []")).isEmpty();
        assertThat(read("{\"disks\": [{\"image\": \"a.img\", \"socket\": \"a.sock\", \"queues\": 2}]}").getFirst().queues()).isEqualTo(2);
    }

    @Test
    void shouldSayInOneLineWhatIsWrongAndWhere() {
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    qeues: 4", "disk 1", "'qeues'", "queues, read-only");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    queues: four", "disk 1", "'queues:' is 'four', not a whole number");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    queues: 2.5", "disk 1", "queues", "2.5");
        refused("disks:\n  - name: b\n    image: a.img\n    socket: a.sock\n    queues: 257", "disk 1 (b)", "257", "256");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    queue-size: 100", "queue size 100", "power of two");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    aio-max-events: 32769", "aio-max-events 32769", "1 to 32768");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    serial: '123456789012345678901'", "serial", "20");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    serial: 0123", "'serial:'", "83", "quotes");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    serial:", "serial", "no value");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    stages: [a, ]x]", "line 4");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    image: b.img", "image");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    cache: none", "disk 1", "'cache:' is 'none', not one of guest, writeback, writethrough");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    cache: 1", "disk 1", "'cache:'", "guest, writeback, writethrough");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    cache: writeback\n    state-file: s", "disk 1", "has no effect with cache writeback");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    state-file: a.img", "disk 1", "is the image");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    state-file: s\n  - image: b.img\n    socket: b.sock\n    state-file: ./s", "disk 2",
                "state file");
        refused("disks:\n  - socket: a.sock", "'image:' is missing");
        refused("disks:\n  - image: a.img", "'socket:' is missing");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    activation: a", "omit one of them");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    measurement: x", "measurement");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    endpoint: b.sock", "endpoint");
        refused("disks:\n  - image: [a]\n    socket: a.sock", "'image:'");
        refused("disks:\n  - a.img", "disk 1");
        refused("disks: a.img", "disks:");
        refused("loops: 2\ndisks: []", "'loops'");
        refused("", "disks:");
        refused("\t-", "line 1");
    }

    @Test
    void shouldRefuseASecondDocument() throws IOException {
        refused("disks: []\n---\ndisks:\n  - image: a.img\n    socket: a.sock", "line 3", "second document");
        refused("disks: []\n---\n", "second document");
        refused("{\"disks\": []} {\"disks\": []}", "line 1");
        assertThat(read("# disks\n---\ndisks: []\n...\n")).isEmpty();
    }

    @Test
    void shouldRefuseListsAndMapsWithoutAValue() throws IOException {
        refused("disks: [null]", "disk 1");
        refused(disk("stages: [null]"), "'stages:' has an element without a value");
        refused(disk("stages: [a, ~]"), "'stages:' has an element without a value");
        refused(disk("stages: [[null]]"), "'stages:' is not a string");
        refused(disk("loop-of-queue: {0: null}"), "'loop-of-queue:' has an element without a value");
        refused(disk("loop-of-queue: {0: ''}"), "'loop-of-queue.0:'", "a whole number");
        refused(disk("loop-of-queue: {'': 0}"), "loop-of-queue");
        refused(disk("loop-of-queue: {null: 0}"), "loop-of-queue", "a whole number");
        refused(disk("loop-of-queue: ''"), "loop-of-queue", "a map");
        refused(disk("queues: ''"), "'queues:'", "a whole number");
        refused(disk("queues: ' '"), "'queues:'", "a whole number");
        refused(disk("read-only: ''"), "'read-only:'", "true or false");
        refused(disk("stages: ''"), "'stages:'", "a list");
        refused(disk("serial: []"), "'serial:'", "a string");
        assertThat(read(disk("stages: []\n    loop-of-queue: {}\n    serial: ''"))).hasSize(1);
    }

    @Test
    void shouldSayWhatASettingIsToBe() {
        refused(disk("stages: write-once"), "'stages:' is not a list");
        refused(disk("stages: {a: b}"), "'stages:' is not a list");
        refused(disk("stages: [1]"), "'stages:' is not a string but 1");
        refused(disk("loop-of-queue: 0"), "'loop-of-queue:' is not a map");
        refused(disk("loop-of-queue: [0]"), "'loop-of-queue:' is not a map");
        refused(disk("queues: [4]"), "'queues:' is not a whole number");
        refused(disk("serial: {a: b}"), "'serial:' is not a string");
        refused(disk("backend: 'null'"), "disk 1", "'backend: null'", "from the command line");
        refused(disk("backend:"), "'backend:' has no value");
    }

    @Test
    void shouldRefuseANameThatCannotBeShown() throws IOException {
        refused(disk("name: ''"), "name is blank");
        refused(disk("name: ' '"), "name is blank");
        refused(disk("name: \"a\\nready: b\""), "disk 1: name has a control character");
        refused(disk("name: \"a\\e[2J\""), "disk 1: name has a control character");
        refused(disk("name: \"a\\u2028b\""), "disk 1: name has a control character");
        assertThat(read(disk("name: 'Größe 1'")).getFirst().name()).isEqualTo("Größe 1");
        assertThat(DiskSpec.of(Path.of("a\nb.img"), new Endpoint.Activated("data")).build().name()).isEqualTo("a?b.img");
        assertThat(DiskSpec.of(Path.of("/"), new Endpoint.Activated("data")).build().name()).isEqualTo("disk");
    }

    @Test
    void shouldNameADirectory() {
        assertThatThrownBy(() -> DiskConfig.read(directory)).isInstanceOf(IOException.class)
                .hasMessage(directory + ": is a directory: use a file of disks in it");
    }

    private static String disk(String setting) {
        return "disks:\n  - image: a.img\n    socket: a.sock\n    " + setting;
    }

    @Test
    void shouldRefuseTwoDisksOfOneNameOrOneSocket() {
        refused("disks:\n  - image: a.img\n    socket: a.sock\n  - image: x/a.img\n    socket: b.sock", "disk 2", "name a.img");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n  - image: b.img\n    socket: ./a.sock", "disk 2", "a.sock");
        refused("disks:\n  - image: a.img\n    activation: x\n  - image: b.img\n    activation: x", "disk 2", "socket x");
    }

    @Test
    void shouldRefuseTwoDisksOfOneImageUnlessBothOnlyRead() throws IOException {
        Path image = Files.createFile(directory.resolve("a.img"));
        Files.createSymbolicLink(directory.resolve("b.img"), image);
        refused("disks:\n  - image: a.img\n    socket: a.sock\n  - image: b.img\n    socket: b.sock", "disk 2", "disk a.img already uses the image",
                "read-only");
        refused("disks:\n  - image: a.img\n    socket: a.sock\n    read-only: true\n  - image: b.img\n    socket: b.sock", "disk 2");
        refused("disks:\n  - image: c.img\n    socket: a.sock\n  - name: x\n    image: ./c.img\n    socket: b.sock", "disk 2", "c.img");
        assertThat(read("disks:\n  - image: a.img\n    socket: a.sock\n    read-only: true\n  - image: b.img\n    socket: b.sock\n    read-only: true"))
                .hasSize(2);
    }

    @Test
    void shouldSayThatAFileIsMissing() {
        assertThatThrownBy(() -> DiskConfig.read(directory.resolve("none.yaml"))).isInstanceOf(IOException.class).hasMessageContaining("no such file");
    }

    private List<DiskSpec> read(String text) throws IOException {
        return DiskConfig.read(Files.writeString(directory.resolve("disks.yaml"), text));
    }

    private void refused(String text, String... said) {
        assertThatThrownBy(() -> read(text))
                .as(text)
                .isInstanceOf(IOException.class)
                .message()
                .contains(said)
                .contains("disks.yaml")
                .doesNotContain("\n");
    }
}
