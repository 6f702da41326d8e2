package dev.sluice.simulation;

import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.testing.MirrorStage;
import dev.sluice.pipeline.testing.XorStage;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** How the sectors of the guest's disk lie in the file: as they are, or as a stage puts them there that passes data on through buffers of its own. */
enum Placement {
    PLAIN(0, 1, true),
    /** Behind a header, changed by a key: what is zero in the file is not for the guest. */
    XORED(8, 1, false) {
        @Override
        BlockStage stage() {
            return new XorStage((long) header * DiskModel.SECTOR, KEY);
        }

        @Override
        void encode(byte[] sector) {
            for (int i = 0; i < sector.length; i++) {
                sector[i] ^= KEY;
            }
        }
    },
    /** Twice, in the two halves of the file. */
    MIRRORED(0, 2, true) {
        @Override
        BlockStage stage() {
            return new MirrorStage();
        }
    };

    private static final byte KEY = 0x5A;
    private static final byte HEADER_BYTE = 0x48;

    /** Sectors of the file before those of the guest, which nobody writes. */
    final int header;
    final int copies;
    /** Whether a hole in the file, or zeroes there, are zeroes for the guest. */
    final boolean zeroesStayZeroes;

    Placement(int header, int copies, boolean zeroesStayZeroes) {
        this.header = header;
        this.copies = copies;
        this.zeroesStayZeroes = zeroesStayZeroes;
    }

    /** A stage for one process, or none. */
    @Nullable
    BlockStage stage() {
        return null;
    }

    /** From what the guest has written to what the file holds. */
    void encode(byte[] sector) {}

    int fileSectors(int sectors) {
        return header + copies * sectors;
    }

    /** Where in the file a copy of a sector is. */
    int place(int sector, int sectors, int copy) {
        return header + copy * sectors + sector;
    }

    /** The file before the first process sees it. */
    void prepare(RandomAccessFile file, int sectors) throws IOException {
        file.setLength((long) fileSectors(sectors) * DiskModel.SECTOR);
        byte[] before = new byte[header * DiskModel.SECTOR];
        Arrays.fill(before, HEADER_BYTE);
        file.write(before);
    }
}
