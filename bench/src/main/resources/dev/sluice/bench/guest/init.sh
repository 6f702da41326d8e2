#!/bin/busybox sh
# The first process of a guest: bring up the disk, run /script, say its exit status on the console, power off.
# Host programs are in /bin, busybox's applets in /usr/bin.
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt /usr/bin
/bin/busybox --install -s /usr/bin
export PATH=/bin:/usr/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
[ -t 0 ] && stty -echo

. /limits
# A host that died without killing its QEMU leaves a guest that ends by itself.
( sleep "$TIME_LIMIT_SECONDS"; poweroff -n -f ) </dev/null >/dev/null 2>&1 &

# Which module needs which differs between kernel builds: go round while a round loads something.
progress=yes
while [ "$progress" = yes ]; do
  progress=no
  for module in /modules/*.ko; do
    [ -e "$module" ] && insmod "$module" 2>/dev/null && rm "$module" && progress=yes
  done
done

turns=0
while [ ! -b /dev/vda ] && [ $turns -lt 100 ]; do usleep 100000; turns=$((turns + 1)); done

cd /tmp
# Nothing of the kernel's may fall into the two lines that the host looks for; its errors still come in between.
level=$(cut -f 1 /proc/sys/kernel/printk)
dmesg -n 1
echo "SLUICE-GUEST-BEGIN"
if [ -b /dev/vda ]; then
  dmesg -n "$level"
  sh /script
  status=$?
else
  echo "no /dev/vda: the kernel found no virtio-blk disk; what it said last:"
  dmesg | tail -n 20
  status=97
fi
dmesg -n 1
echo
echo "SLUICE-GUEST-EXIT $status"
poweroff -f
