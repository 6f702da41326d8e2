#!/bin/sh
# Download and unpack (never install) Debian's cloud kernel, for guests that Sluice boots under QEMU.
# usage: fetch-guest-kernel.sh [DIRECTORY]     default: $SLUICE_GUEST_KERNEL_DIR, else ~/.cache/sluice/guest-kernel
# Needs apt-get, apt-cache and dpkg, and package lists (apt-get update); no root.
set -eu

directory=${1:-${SLUICE_GUEST_KERNEL_DIR:-$HOME/.cache/sluice/guest-kernel}}
for program in apt-get apt-cache dpkg; do
  command -v "$program" >/dev/null 2>&1 || {
    echo "error: no $program here: this script knows Debian only. Put boot/vmlinuz-* and lib/modules/* of any Linux" \
      "with virtio_blk and ext4 into $directory" >&2
    exit 1
  }
done

# The package of that name is empty: it depends on the newest kernel of this release of Debian.
package=$(apt-cache depends --important linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
[ -n "$package" ] || {
  echo "error: apt-cache knows no linux-image-cloud-amd64: run apt-get update as root, then this again" >&2
  exit 1
}
release=${package#linux-image-}
if [ -r "$directory/boot/vmlinuz-$release" ] && [ -d "$directory/lib/modules/$release" ]; then
  echo "guest kernel $release is in $directory already"
  exit 0
fi

# Unpacked beside its place first: an interrupted run leaves no half of a kernel where one is looked for.
mkdir -p "$directory"
scratch=$(mktemp -d "$directory/.fetch-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$scratch"
echo "downloading $package"
# Sandbox::User: what apt says when root downloads into a directory of root's is of no use to anybody here.
(cd "$scratch" && apt-get -q -o APT::Sandbox::User=root download "$package" </dev/null)
dpkg -x "$scratch"/*.deb "$scratch/unpacked"
for part in boot lib/modules; do
  [ -d "$scratch/unpacked/$part" ] || part=usr/$part
  mkdir -p "$directory/${part#usr/}"
  for entry in "$scratch/unpacked/$part"/*"$release"*; do
    rm -rf "$directory/${part#usr/}/$(basename "$entry")"
    mv "$entry" "$directory/${part#usr/}/"
  done
done
echo "guest kernel $release is in $directory"
