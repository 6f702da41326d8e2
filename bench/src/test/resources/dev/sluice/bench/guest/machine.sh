# The host stops and continues the machine under load, pulls the disk and plugs it in again, then resets the machine
# under load; that brings this script around a second time.
MARK_SECTOR=$((SECTORS - 1))

await_load() { # pid of fio, field of the disk's stat, requests
  until [ "$(awk "{ print \$$2 }" /sys/block/vda/stat)" -gt "$3" ]; do
    kill -0 "$1" || { echo "FAILED: the load stopped before it was one"; cat /tmp/fio.out; exit 1; }
    usleep 10000
  done
}

await_disk() { # test's operator and its operand, so that /dev/vda is there or is not
  turns=0
  until [ "$@" ]; do
    turns=$((turns + 1))
    [ $turns -lt 600 ] || { echo "FAILED: after 60 s, not: $*"; dmesg | tail -n 20; exit 1; }
    usleep 100000
  done
}

same_as_written() {
  verified --name=before --filename=/dev/vda --offset_increment=16M --size=4M --rw=randwrite --verify_only=1
  verified --name=paused --filename=/dev/vda --offset=4M --offset_increment=16M --size=8M --rw=randwrite --bsrange=512-8k --verify_only=1
}

if [ "$(dd if=/dev/vda bs=512 skip=$MARK_SECTOR count=1 iflag=direct 2>/dev/null | head -c 5)" != RESET ]; then
  verified --name=before --filename=/dev/vda --offset_increment=16M --size=4M --rw=randwrite --end_fsync=1

  writes=$(awk '{ print $5 }' /sys/block/vda/stat)
  verified --name=paused --filename=/dev/vda --offset=4M --offset_increment=16M --size=8M --rw=randwrite --bsrange=512-8k --end_fsync=1 &
  load=$!
  await_load $load 5 $((writes + 200))
  echo "UNDER-LOAD"
  wait $load
  echo "LOAD-DONE"

  echo "PULL-THE-DISK"
  await_disk ! -b /dev/vda
  echo "PULLED"
  await_disk -b /dev/vda
  same_as_written
  verified --name=replugged --filename=/dev/vda --offset=12M --offset_increment=16M --size=2M --rw=randwrite --end_fsync=1

  printf RESET | dd of=/dev/vda bs=512 seek=$MARK_SECTOR conv=sync oflag=direct 2>/dev/null
  fio --name=reads --filename=/dev/vda --direct=1 --ioengine=libaio --iodepth=16 --rw=randread --bs=4k --numjobs="$QUEUES" \
    --time_based --runtime=600 --eta=never >/tmp/fio.out 2>&1 &
  load=$!
  await_load $load 1 $(($(awk '{ print $1 }' /sys/block/vda/stat) + 500))
  echo "RESET-THE-MACHINE"
  wait $load
  echo "FAILED: the machine was not reset"
  exit 1
fi
echo "AFTER-THE-RESET"
same_as_written
verified --name=replugged --filename=/dev/vda --offset=12M --offset_increment=16M --size=2M --rw=randwrite --verify_only=1
verified --name=after --filename=/dev/vda --offset=14M --offset_increment=16M --size=1M --rw=randwrite --end_fsync=1
