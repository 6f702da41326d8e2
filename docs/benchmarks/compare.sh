#!/bin/sh
# Sluice beside qemu-storage-daemon: the same image, the same load, in turns, so that a noisy machine is noisy for all of them.
#   docs/benchmarks/compare.sh IMAGE [ROUNDS] [bench options ...]
# Prints for each backend the median (least - most) of IOPS and of the backend's CPU per request. What is on IMAGE stays: the load only reads.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
image=${1:?usage: compare.sh IMAGE [ROUNDS] [bench options ...]}
rounds=${2:-5}
[ $# -gt 1 ] && shift 2 || shift
work=$(mktemp -d)
backend=
cleanup() { [ -z "$backend" ] || kill "$backend" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT INT TERM

start() { # name
    rm -f "$work/sock" "$work/stats"
    case $1 in
    sluice) "$here/sluice" serve --socket-path "$work/sock" --blk-file "$image" --num-queues 4 --stats "$work/stats" >"$work/log" 2>&1 & ;;
    qsd-*) qemu-storage-daemon --blockdev "driver=file,node-name=f0,filename=$image,cache.direct=on,aio=${1#qsd-}" \
        --object iothread,id=io0 \
        --export "type=vhost-user-blk,id=e0,node-name=f0,addr.type=unix,addr.path=$work/sock,num-queues=4,writable=on,iothread=io0" >"$work/log" 2>&1 & ;;
    esac
    backend=$!
    tries=0
    until [ -S "$work/sock" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] && kill -0 "$backend" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.1
    done
}

stop() {
    kill "$backend" 2>/dev/null || true
    wait "$backend" 2>/dev/null || true
    backend=
}

"$here/sluice" --version >/dev/null
names="sluice"
if command -v qemu-storage-daemon >/dev/null 2>&1; then names="sluice qsd-native qsd-io_uring"; fi
uname -sr
grep -m1 'model name' /proc/cpuinfo || true
echo "$(nproc) cores, $(date -u +%Y-%m-%d), image $image ($(stat -f -c %T "$image")), $rounds rounds, bench options: $*"
round=0
while [ "$round" -lt "$rounds" ]; do
    for name in $names; do
        start "$name"
        options=
        [ "$name" = sluice ] && options="--stats $work/stats"
        # shellcheck disable=SC2086  # a list of words, or nothing
        "$here/sluice" bench "$work/sock" $options --json "$work/$name.$round.json" "$@" >/dev/null
        stop
    done
    round=$((round + 1))
done

figure() { # name field
    cat "$work/$1".*.json | sed -n "s/^  \"$2\" : \([0-9.eE+-]*\),*$/\1/p" | sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "%.6g (%.6g - %.6g)", v[int((NR + 1) / 2)], v[1], v[NR]; else printf "n/a" }'
}
for name in $names; do
    printf '%-13s IOPS %s | CPU us/request %s | heap bytes/request %s | kicks %s | calls %s | enters %s\n' "$name" "$(figure "$name" iops)" \
        "$(figure "$name" backendCpuMicrosPerRequest)" "$(figure "$name" heapBytesPerRequest)" "$(figure "$name" kicksPerRequest)" \
        "$(figure "$name" callsPerRequest)" "$(figure "$name" entersPerRequest)"
    cat "$work/$name".*.json | sed -n '/"name" : "all"/,/}/s/.*"\(p[0-9]*Micros\)" : \([0-9.]*\).*/\1 \2/p' | sort -k1,1 -k2,2g | awk '
        { if ($1 != f) { if (f) emit(); f = $1; n = 0 } v[++n] = $2 } END { if (f) emit() }
        function emit() { printf "              %s %s (%s - %s)\n", f, v[int((n + 1) / 2)], v[1], v[n] }'
done
