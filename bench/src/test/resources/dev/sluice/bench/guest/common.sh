# What the test scripts share.
set -eu
MIB=1048576

check() { # what, expected, found
  [ "$2" = "$3" ] || { echo "FAILED: $1 is '$3' and not '$2'"; exit 1; }
  echo "checked: $1 is $2"
}

check_positive() { # what, found
  [ "$2" -gt 0 ] || { echo "FAILED: $1 is '$2' and not above 0"; exit 1; }
  echo "checked: $1 is $2"
}

refused() { # command...
  if "$@" >/tmp/refused 2>&1; then echo "FAILED: the disk took: $*"; exit 1; fi
  echo "refused, as it should be: $* ($(head -n 1 /tmp/refused))"
}

# Of every size from a sector up to 256 KiB, past the page cache, each byte under a checksum.
verified() { # fio options...
  fio --direct=1 --ioengine=libaio --iodepth=16 --bsrange=512-256k --blockalign=512 --verify=crc32c --verify_fatal=1 \
    --verify_state_save=0 --randseed="$SEED" --numjobs="$QUEUES" --group_reporting --eta=never --output-format=terse \
    --cpus_allowed="0-$((QUEUES - 1))" --cpus_allowed_policy=split "$@" >/tmp/fio.out 2>&1 ||
    { echo "FAILED: fio $*"; cat /tmp/fio.out; exit 1; }
  echo "verified: fio $*"
}

[ "$QUEUES" -le "$(nproc)" ] || { echo "FAILED: $(nproc) CPUs cannot use $QUEUES queues"; exit 1; }
check "the number of queues" "$QUEUES" "$(ls /sys/block/vda/mq | wc -l)"
check "the number of sectors" "$SECTORS" "$(cat /sys/block/vda/size)"
check "the serial" "$SERIAL" "$(cat /sys/block/vda/serial)"
