# What `sluice demo --guest` shows: the disk as the guest sees it, a file system, verified writes, random reads.
set -eu
uname -sr
echo "/dev/vda: $(cat /sys/block/vda/size) sectors, $(ls /sys/block/vda/mq | wc -l) queues, $(cat /sys/block/vda/queue/write_cache)"

echo "== ext4"
mkfs.ext4 -q -F /dev/vda 256M
mount -t ext4 /dev/vda /mnt
fio --name=verified-writes --directory=/mnt --size=16M --numjobs="$JOBS" --randseed="$SEED" --direct=1 --ioengine=libaio \
  --iodepth=16 --rw=randwrite --bsrange=512-256k --blockalign=512 --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
  --end_fsync=1 --group_reporting --eta=never
umount /mnt

echo "== 4 KiB random reads"
fio --name=random-reads --filename=/dev/vda --size=256M --numjobs="$JOBS" --randseed="$SEED" --direct=1 --ioengine=libaio \
  --iodepth=64 --rw=randread --bs=4k --time_based --runtime="$SECONDS_OF_READS" --cpus_allowed="0-$((JOBS - 1))" \
  --cpus_allowed_policy=split --group_reporting --eta=never

echo "== interrupts by queue"
grep -E 'CPU|virtio.*req' /proc/interrupts
