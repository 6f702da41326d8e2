package dev.sluice.server.disk;

/** Notified of the disks that a {@link DiskHost} serves, by the thread that changes them. Does not change them itself; must not throw. */
interface DiskListener {
    /** Front ends can connect to the disk. */
    void diskAdded(Disk disk);

    /** The disk has been closed. */
    void diskRemoved(Disk disk);
}
