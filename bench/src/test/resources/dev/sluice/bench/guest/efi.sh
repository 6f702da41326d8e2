# The firmware has written to the disk, and this kernel and this script came from it; its file system is in the first 192 MiB.
verified --name=after --filename=/dev/vda --offset=192M --size=32M --rw=randwrite --fsync=64
