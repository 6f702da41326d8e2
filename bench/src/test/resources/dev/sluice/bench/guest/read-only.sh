# The host has filled the disk; nothing here may change it.
check "read-only" 1 "$(cat /sys/block/vda/ro)"
check "the content" "$MD5" "$(md5sum </dev/vda | cut -d ' ' -f 1)"
refused dd if=/dev/zero of=/dev/vda bs=4096 count=1 oflag=direct
refused /bin/blkdiscard /dev/vda
refused /bin/blkdiscard -z /dev/vda
refused mkfs.ext4 -q -F /dev/vda
