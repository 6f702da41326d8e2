# The backend is stopped and started while every queue has writes in flight; the guest only notices that they take longer.
verified --name=load --filename=/dev/vda --offset_increment=16M --size=16M --rw=randwrite --bsrange=512-8k --end_fsync=1 &
load=$!
until [ "$(awk '{ print $5 }' /sys/block/vda/stat)" -gt 500 ]; do
  kill -0 $load || { echo "FAILED: the load ended before it was one"; exit 1; }
  usleep 10000
done
echo "UNDER-LOAD"
wait $load
echo "LOAD-DONE"
