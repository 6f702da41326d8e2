#!/bin/sh
# Makes the distribution out of what the build has made (runtime and man pages in IMAGE, LIBRARIES): launcher, completion, AOT cache, archive.
#   assemble.sh SOURCES IMAGE TIMESTAMP ARCHIVE LIBRARIES ARCHITECTURE [NATIVE]
# For another ARCHITECTURE (amd64, aarch64) than this machine's NATIVE is the finished image of this one's; an AOT cache, which takes a run, is not made then.
set -eu
sources=$1 image=$2 timestamp=$3 archive=$4 libraries=$5 architecture=$6 native=${7:-}

mkdir -p "$image/conf" "$image/lib/sluice" "$image/share/bash-completion/completions" "$image/share/doc/sluice"
install -m 755 "$sources/src/main/sh/sluice" "$image/bin/sluice"
install -m 644 "$sources/../server/src/main/resources/dev/sluice/server/jvm.options" "$sources/../server/src/main/resources/dev/sluice/server/launch.sh" "$image/conf/"
install -m 644 "$sources/../LICENSE" "$sources/../README.md" "$sources/../CHANGELOG.md" "$sources/../SECURITY.md" \
    "$sources/src/main/doc/THIRD-PARTY.md" "$sources/target/sbom.json" "$image/share/doc/sluice/"
cp -r "$sources/target/licenses" "$image/share/doc/sluice/"
cp "$libraries"/*.jar "$image/lib/sluice/"
cp "$libraries"/native/*.so "$image/lib/"
# Libraries for other architectures can never be loaded by this runtime.
case $architecture in
    amd64) rm -f "$image"/lib/sluice/*-linux-aarch_64.jar "$image"/lib/*_aarch_64.so ;;
    aarch64) rm -f "$image"/lib/sluice/*-linux-x86_64.jar "$image"/lib/*_x86_64.so ;;
esac

# The newest version of glibc that any file of the image was linked against, and the libraries that it does not bring along.
glibc=$(grep -raohE 'GLIBC_2\.[0-9]+' "$image/bin" "$image/lib" | sort -Vu | tail -n 1)
needed=
for library in libz.so.1 libstdc++.so.6 libgcc_s.so.1; do
    if grep -raqF "$library" "$image/bin" "$image/lib"; then needed="$needed, $library"; fi
done
cat >"$image/README" <<EOF
Sluice for Linux on $architecture, with a Java runtime of its own: bin/sluice --help, and share/doc/sluice/README.md.
It needs glibc ${glibc#GLIBC_} or newer$needed.
EOF

pack() {
    find "$image" -exec touch -h -d "$timestamp" {} +
    tar --create --gzip --file "$archive" --directory "$(dirname "$image")" \
        --sort=name --owner=0 --group=0 --numeric-owner --mtime="$timestamp" --mode='u+rw,go+r,go-w' "$(basename "$image")"
    du -sh "$image" "$archive"
}

if [ -n "$native" ]; then
    echo "It has no AOT cache: a start takes longer than with one." >>"$image/README"
    mkdir -p "$image/share/man"
    cp -R "$native/share/man/." "$image/share/man/"
    cp "$native/share/bash-completion/completions/sluice" "$image/share/bash-completion/completions/"
    pack
    exit
fi

# The cache notes size and time of every jar: give them the time that the archive gives them.
find "$image" -exec touch -h -d "$timestamp" {} +
rm -f "$image/lib/sluice.aot" "$image/lib/sluice-config.aot"
"$image/bin/sluice" completion >"$image/share/bash-completion/completions/sluice"

# A training run for each of two caches: a disk is served and driven as a guest would drive it. Its classes are kept and its profiles are not: with them each
# start compiles what was hot under load, on the cores that it needs itself.
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
truncate -s 64M "$work/disk.img"
printf 'disks:\n  - name: disk\n    image: %s\n    socket: %s\n    queues: 2\n' "$work/disk.img" "$work/disk.sock" >"$work/disks.yaml"

train() { # the name of the cache, then the arguments that serve the disk
    cache=$image/lib/$1
    shift
    : >"$work/out"
    SLUICE_JAVA_OPTS="-XX:AOTCacheOutput=$cache -XX:+UnlockDiagnosticVMOptions -XX:-AOTRecordTraining -Xlog:disable -Xlog:all=error:stderr" \
        "$image/bin/sluice" serve "$@" >"$work/out" 2>"$work/err" &
    server=$!
    tries=0
    until grep -q '^ready' "$work/out"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 1200 ] || ! kill -0 "$server" 2>/dev/null; then
            cat "$work/out" "$work/err" >&2
            echo "assemble.sh: the training run did not get ready" >&2
            exit 1
        fi
        sleep 0.1
    done
    "$image/bin/sluice" bench "$work/disk.sock" --queues 2 --depth 16 --rw randrw --verify --warm-up 0 --seconds 2 >"$work/bench" 2>&1 || {
        cat "$work/bench" "$work/err" >&2
        echo "assemble.sh: the load of the training run failed" >&2
        exit 1
    }
    kill -TERM "$server"
    ended=0
    wait "$server" || ended=$?
    server=
    if [ "$ended" -ne 0 ] || [ ! -s "$cache" ]; then
        cat "$work/out" "$work/err" >&2
        echo "assemble.sh: the training run ended with $ended and left no AOT cache" >&2
        exit 1
    fi
}
train sluice.aot --socket-path "$work/disk.sock" --blk-file "$work/disk.img" --num-queues 2
train sluice-config.aot --config "$work/disks.yaml"

pack
