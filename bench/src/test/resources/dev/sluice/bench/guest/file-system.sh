# A disk of 512 MiB: ext4 in the first half, raw writes from 256 MiB, a pattern with holes from 384 MiB.
queue=/sys/block/vda/queue
check "the write cache" "$WRITE_CACHE" "$(cat $queue/write_cache)"
check_positive "discard_max_bytes" "$(cat $queue/discard_max_bytes)"
check_positive "write_zeroes_max_bytes" "$(cat $queue/write_zeroes_max_bytes)"
check "read-only" 0 "$(cat /sys/block/vda/ro)"

echo "== raw"
verified --name=raw --filename=/dev/vda --offset=256M --offset_increment=32M --size=24M --rw=randwrite --fsync=64

echo "== ext4"
mkfs.ext4 -q -F /dev/vda 256M
mount -t ext4 /dev/vda /mnt
seq 1 "$KNOWN_LINES" >/mnt/known
verified --name=file --directory=/mnt --size=6M --rw=randrw --fsync=64
tr '\0' T </dev/zero | dd of=/mnt/trash bs=1M count=64 iflag=fullblock 2>/dev/null
sync
umount /mnt
mount -t ext4 /dev/vda /mnt
seq 1 "$KNOWN_LINES" | cmp - /mnt/known
rm /mnt/trash
sync
fstrim -v /mnt
umount /mnt

echo "== discard and write zeroes"
tr '\0' S </dev/zero | dd of=/dev/vda bs=1M seek=384 count=24 iflag=fullblock oflag=direct 2>/dev/null
/bin/blkdiscard -f -o $((388 * MIB)) -l $((4 * MIB)) /dev/vda
/bin/blkdiscard -f -z -o $((396 * MIB)) -l $((4 * MIB)) /dev/vda
check "bytes that are not zero after write zeroes" 0 \
  "$(dd if=/dev/vda bs=1M skip=396 count=4 iflag=direct 2>/dev/null | tr -d '\0' | wc -c)"
check "bytes of the pattern after write zeroes" $((4 * MIB)) \
  "$(dd if=/dev/vda bs=1M skip=400 count=4 iflag=direct 2>/dev/null | tr -cd S | wc -c)"

echo "== every queue"
grep 'virtio[0-9]*-req' /proc/interrupts
check "the number of queues that interrupted" "$QUEUES" \
  "$(awk -v cpus="$(nproc)" '/virtio[0-9]*-req/ { n = 0; for (i = 2; i <= cpus + 1; i++) n += $i; if (n > 0) used++ } END { print used + 0 }' /proc/interrupts)"
if [ "$WRITE_CACHE" = "write back" ]; then
  check_positive "flushes" "$(awk '{ print $16 }' /sys/block/vda/stat)"
fi
