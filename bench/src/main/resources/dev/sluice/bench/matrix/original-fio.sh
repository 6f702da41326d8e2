# The load of the original's table, in a guest: its job file with the disk's size, for each number of jobs, after a run that warms the backend up.
set -eu
cat >/tmp/original.fio <<'JOB'
[global]
direct=1
size=${SIZE}
bsrange=4k-4k
timeout=${RUN_SECONDS}
numjobs=${JOBS}
ioengine=libaio
iodepth=64
filename=/dev/vda
group_reporting=1
[f]
rw=randread
JOB
SIZE=$(blockdev --getsize64 /dev/vda)
export SIZE RUN_SECONDS
JOBS=4 fio /tmp/original.fio >/dev/null
for jobs in $JOBS_LIST; do
  echo "FIO-BEGIN $jobs"
  JOBS=$jobs fio --output=/tmp/result.json --output-format=json /tmp/original.fio
  echo "FIO-END $jobs"
  cat /tmp/result.json
  echo "FIO-RESULT-END $jobs"
done
