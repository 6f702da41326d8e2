#!/bin/sh
# Download and unpack (never install) QEMU 10 from Debian's bookworm-backports, for guest tests on a newer front end
# than Debian 12's own.
# usage: fetch-qemu-10.sh [DIRECTORY]     default: $SLUICE_QEMU_10_DIR, else ~/.cache/sluice/qemu-10
# Needs apt-get and dpkg, and the installed QEMU of Debian 12, whose libraries and firmware it shares; no root.
set -eu

directory=${1:-${SLUICE_QEMU_10_DIR:-$HOME/.cache/sluice/qemu-10}}
program=qemu-system-x86_64
for needed in apt-get dpkg "$program"; do
  command -v "$needed" >/dev/null 2>&1 || {
    echo "error: no $needed here: put a QEMU 10 or newer, or a script that starts one, at $directory/$program" >&2
    exit 1
  }
done
if "$directory/$program" --version 2>/dev/null; then
  echo "it is in $directory already"
  exit 0
fi

# Unpacked beside its place first: an interrupted run leaves no half of a QEMU where one is looked for.
mkdir -p "$directory"
scratch=$(mktemp -d "$directory/.fetch-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$scratch"

# Package lists of its own: those of the machine stay as they are.
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
echo "deb ${SLUICE_DEBIAN_MIRROR:-http://deb.debian.org/debian} bookworm-backports main" >"$scratch/sources.list"
apt() {
  apt-get -q -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::lists="$scratch/lists" \
    -o Dir::Cache="$scratch/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@" </dev/null
}
apt update
(cd "$scratch" && apt download qemu-system-x86/bookworm-backports qemu-system-data/bookworm-backports)
for package in "$scratch"/*.deb; do
  dpkg -x "$package" "$scratch/unpacked"
done

# -L: its own files first; those that a package of its own has (SeaBIOS) are the installed ones.
cat >"$scratch/$program" <<'EOF'
#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/usr/bin/qemu-system-x86_64" -L "$here/usr/share/qemu" -L /usr/share/seabios -L /usr/share/qemu "$@"
EOF
chmod 755 "$scratch/$program"
mkdir -p "$directory/usr/bin" "$directory/usr/share"
rm -rf "$directory/usr/share/qemu"
mv "$scratch/unpacked/usr/share/qemu" "$directory/usr/share/"
mv "$scratch/unpacked/usr/bin/$program" "$directory/usr/bin/"
"$directory/usr/bin/$program" --version
mv "$scratch/$program" "$directory/"
echo "it is in $directory"
