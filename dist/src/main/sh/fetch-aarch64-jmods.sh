#!/bin/sh
# Download and unpack (never install) the aarch64 jmods of Debian 13's JDK 25, for "mvn -Pdist package -Dsluice.dist.jmods=DIRECTORY": 313 MB.
# usage: fetch-aarch64-jmods.sh [DIRECTORY]     default: $SLUICE_AARCH64_JMODS_DIR, else ~/.cache/sluice/aarch64-jmods
# Needs apt-get and dpkg; no root.
set -eu

directory=${1:-${SLUICE_AARCH64_JMODS_DIR:-$HOME/.cache/sluice/aarch64-jmods}}
for needed in apt-get dpkg; do
  command -v "$needed" >/dev/null 2>&1 || {
    echo "error: no $needed here: put the jmods of any JDK 25 for Linux on aarch64 into $directory" >&2
    exit 1
  }
done
if [ -r "$directory/java.base.jmod" ]; then
  echo "they are in $directory already"
  exit 0
fi

# Unpacked beside its place first: an interrupted run leaves no half of a folder where one is looked for.
mkdir -p "$directory"
scratch=$(mktemp -d "$directory/.fetch-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$scratch"

# Package lists of its own, for another architecture: those of the machine stay as they are.
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
: >"$scratch/status"
echo "deb ${SLUICE_DEBIAN_MIRROR:-http://deb.debian.org/debian} trixie main" >"$scratch/sources.list"
apt() {
  apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::lists="$scratch/lists" -o Dir::State::status="$scratch/status" -o Dir::Cache="$scratch/cache" -o APT::Sandbox::User=root \
    -o Acquire::Retries=3 "$@" </dev/null
}
apt update
(cd "$scratch" && apt download openjdk-25-jdk-headless)
dpkg -x "$scratch"/*.deb "$scratch/unpacked"
# The one that the others need, and that is looked for, last.
mv "$scratch/unpacked"/usr/lib/jvm/java-25-openjdk-arm64/jmods/java.base.jmod "$scratch/"
mv "$scratch/unpacked"/usr/lib/jvm/java-25-openjdk-arm64/jmods/*.jmod "$directory/"
mv "$scratch/java.base.jmod" "$directory/"
echo "they are in $directory"
