package dev.sluice.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;
import org.junit.jupiter.api.Test;

class LayoutTest {
    @Test
    void shouldMatchStructIovec() {
        StructLayout iovec = MemoryLayout.structLayout(JAVA_LONG.withName("base"), JAVA_LONG.withName("len"));
        assertThat(Iovec.SIZE).isEqualTo((int) iovec.byteSize());
        assertOffset(iovec, "base", Iovec.BASE_OFFSET);
        assertOffset(iovec, "len", Iovec.LENGTH_OFFSET);
    }

    @Test
    void shouldMatchStructPollfd() {
        StructLayout pollfd =
                MemoryLayout.structLayout(
                        JAVA_INT.withName("fd"), JAVA_SHORT.withName("events"), JAVA_SHORT.withName("revents"));
        assertThat(PollSet.SIZE).isEqualTo((int) pollfd.byteSize());
        assertOffset(pollfd, "fd", PollSet.FD_OFFSET);
        assertOffset(pollfd, "events", PollSet.EVENTS_OFFSET);
        assertOffset(pollfd, "revents", PollSet.REVENTS_OFFSET);
    }

    @Test
    void shouldMatchStructFlock() {
        StructLayout flock =
                MemoryLayout.structLayout(
                        JAVA_SHORT.withName("type"),
                        JAVA_SHORT.withName("whence"),
                        MemoryLayout.paddingLayout(4),
                        JAVA_LONG.withName("start"),
                        JAVA_LONG.withName("len"),
                        JAVA_INT.withName("pid"),
                        MemoryLayout.paddingLayout(4));
        assertThat(OfdLock.SIZE).isEqualTo((int) flock.byteSize());
        assertOffset(flock, "type", OfdLock.TYPE_OFFSET);
        assertOffset(flock, "whence", OfdLock.WHENCE_OFFSET);
        assertOffset(flock, "start", OfdLock.START_OFFSET);
        assertOffset(flock, "len", OfdLock.LENGTH_OFFSET);
        assertOffset(flock, "pid", OfdLock.PID_OFFSET);
    }

    @Test
    void shouldMatchStructMsghdr() {
        StructLayout msghdr =
                MemoryLayout.structLayout(
                        JAVA_LONG.withName("name"),
                        JAVA_INT.withName("namelen"),
                        MemoryLayout.paddingLayout(4),
                        JAVA_LONG.withName("iov"),
                        JAVA_LONG.withName("iovlen"),
                        JAVA_LONG.withName("control"),
                        JAVA_LONG.withName("controllen"),
                        JAVA_INT.withName("flags"),
                        MemoryLayout.paddingLayout(4));
        assertThat(SocketMessage.MSGHDR_SIZE).isEqualTo((int) msghdr.byteSize());
        assertOffset(msghdr, "iov", SocketMessage.IOV_OFFSET);
        assertOffset(msghdr, "iovlen", SocketMessage.IOV_COUNT_OFFSET);
        assertOffset(msghdr, "control", SocketMessage.CONTROL_OFFSET);
        assertOffset(msghdr, "controllen", SocketMessage.CONTROL_LENGTH_OFFSET);
        assertOffset(msghdr, "flags", SocketMessage.FLAGS_OFFSET);
    }

    @Test
    void shouldMatchStructCmsghdr() {
        StructLayout cmsghdr =
                MemoryLayout.structLayout(JAVA_LONG.withName("len"), JAVA_INT.withName("level"), JAVA_INT.withName("type"));
        assertThat(SocketMessage.CMSGHDR_SIZE).isEqualTo((int) cmsghdr.byteSize());
        assertOffset(cmsghdr, "len", SocketMessage.CMSG_LENGTH_OFFSET);
        assertOffset(cmsghdr, "level", SocketMessage.CMSG_LEVEL_OFFSET);
        assertOffset(cmsghdr, "type", SocketMessage.CMSG_TYPE_OFFSET);
    }

    @Test
    void shouldMatchStructStatx() {
        MemoryLayout timestamp = MemoryLayout.structLayout(JAVA_LONG, JAVA_INT, JAVA_INT);
        StructLayout statx =
                MemoryLayout.structLayout(
                        JAVA_INT.withName("mask"),
                        JAVA_INT.withName("blksize"),
                        JAVA_LONG.withName("attributes"),
                        JAVA_INT.withName("nlink"),
                        JAVA_INT.withName("uid"),
                        JAVA_INT.withName("gid"),
                        JAVA_SHORT.withName("mode"),
                        MemoryLayout.paddingLayout(2),
                        JAVA_LONG.withName("ino"),
                        JAVA_LONG.withName("size"),
                        JAVA_LONG.withName("blocks"),
                        JAVA_LONG.withName("attributes_mask"),
                        MemoryLayout.sequenceLayout(4, timestamp).withName("times"),
                        JAVA_INT.withName("rdev_major"),
                        JAVA_INT.withName("rdev_minor"),
                        JAVA_INT.withName("dev_major"),
                        JAVA_INT.withName("dev_minor"),
                        JAVA_LONG.withName("mnt_id"),
                        JAVA_INT.withName("dio_mem_align"),
                        JAVA_INT.withName("dio_offset_align"),
                        MemoryLayout.sequenceLayout(12, JAVA_LONG).withName("spare"));
        assertThat(FileStatus.SIZE).isEqualTo((int) statx.byteSize());
        assertOffset(statx, "mask", FileStatus.MASK_OFFSET);
        assertOffset(statx, "mode", FileStatus.MODE_OFFSET);
        assertOffset(statx, "ino", FileStatus.INODE_OFFSET);
        assertOffset(statx, "size", FileStatus.SIZE_BYTES_OFFSET);
        assertOffset(statx, "blocks", FileStatus.BLOCKS_OFFSET);
        assertOffset(statx, "rdev_major", FileStatus.SPECIAL_MAJOR_OFFSET);
        assertOffset(statx, "rdev_minor", FileStatus.SPECIAL_MINOR_OFFSET);
        assertOffset(statx, "dev_major", FileStatus.DEVICE_MAJOR_OFFSET);
        assertOffset(statx, "dev_minor", FileStatus.DEVICE_MINOR_OFFSET);
        assertOffset(statx, "dio_mem_align", FileStatus.DIO_MEMORY_ALIGN_OFFSET);
        assertOffset(statx, "dio_offset_align", FileStatus.DIO_OFFSET_ALIGN_OFFSET);
    }

    @Test
    void shouldMatchStructIocb() {
        StructLayout iocb =
                MemoryLayout.structLayout(
                        JAVA_LONG.withName("data"),
                        JAVA_INT.withName("key"),
                        JAVA_INT.withName("rw_flags"),
                        JAVA_SHORT.withName("opcode"),
                        JAVA_SHORT.withName("reqprio"),
                        JAVA_INT.withName("fildes"),
                        JAVA_LONG.withName("buf"),
                        JAVA_LONG.withName("nbytes"),
                        JAVA_LONG.withName("offset"),
                        JAVA_LONG.withName("reserved2"),
                        JAVA_INT.withName("flags"),
                        JAVA_INT.withName("resfd"));
        assertThat(Iocb.SIZE).isEqualTo((int) iocb.byteSize());
        assertOffset(iocb, "data", Iocb.DATA_OFFSET);
        assertOffset(iocb, "key", Iocb.KEY_OFFSET);
        assertOffset(iocb, "rw_flags", Iocb.RW_FLAGS_OFFSET);
        assertOffset(iocb, "opcode", Iocb.OPCODE_OFFSET);
        assertOffset(iocb, "reqprio", Iocb.PRIORITY_OFFSET);
        assertOffset(iocb, "fildes", Iocb.FD_OFFSET);
        assertOffset(iocb, "buf", Iocb.BUFFER_OFFSET);
        assertOffset(iocb, "nbytes", Iocb.BYTES_OFFSET);
        assertOffset(iocb, "offset", Iocb.FILE_OFFSET_OFFSET);
        assertOffset(iocb, "reserved2", Iocb.RESERVED_OFFSET);
        assertOffset(iocb, "flags", Iocb.FLAGS_OFFSET);
        assertOffset(iocb, "resfd", Iocb.RESULT_FD_OFFSET);
    }

    @Test
    void shouldMatchStructIoEventAndAioRing() {
        StructLayout event =
                MemoryLayout.structLayout(
                        JAVA_LONG.withName("data"), JAVA_LONG.withName("obj"), JAVA_LONG.withName("res"), JAVA_LONG.withName("res2"));
        assertThat(IoEvent.SIZE).isEqualTo((int) event.byteSize());
        assertOffset(event, "data", IoEvent.DATA_OFFSET);
        assertOffset(event, "obj", IoEvent.IOCB_OFFSET);
        assertOffset(event, "res", IoEvent.RESULT_OFFSET);
        assertOffset(event, "res2", IoEvent.RESULT2_OFFSET);
        StructLayout ring =
                MemoryLayout.structLayout(
                        JAVA_INT.withName("id"),
                        JAVA_INT.withName("nr"),
                        JAVA_INT.withName("head"),
                        JAVA_INT.withName("tail"),
                        JAVA_INT.withName("magic"),
                        JAVA_INT.withName("compat_features"),
                        JAVA_INT.withName("incompat_features"),
                        JAVA_INT.withName("header_length"),
                        event.withName("io_events"));
        assertOffset(ring, "id", AioRing.ID_OFFSET);
        assertOffset(ring, "nr", AioRing.COUNT_OFFSET);
        assertOffset(ring, "head", AioRing.HEAD_OFFSET);
        assertOffset(ring, "tail", AioRing.TAIL_OFFSET);
        assertOffset(ring, "magic", AioRing.MAGIC_OFFSET);
        assertOffset(ring, "compat_features", AioRing.COMPAT_OFFSET);
        assertOffset(ring, "incompat_features", AioRing.INCOMPAT_OFFSET);
        assertOffset(ring, "header_length", AioRing.HEADER_LENGTH_OFFSET);
        assertOffset(ring, "io_events", AioRing.EVENTS_OFFSET);
    }

    private static void assertOffset(StructLayout layout, String field, int offset) {
        assertThat(offset).as(field).isEqualTo((int) layout.byteOffset(PathElement.groupElement(field)));
    }
}
