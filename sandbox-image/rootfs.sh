#!/bin/sh
# The Debian half of the sandbox image: unpacked packages as one tar archive on stdout, messages on stderr.
#
# Needs mmdebstrap, apt and Debian's archive keyring; neither root nor a container engine. Runs on a Debian or Ubuntu
# host or in a Debian container: it takes no argument and reads no other file, so `docker run -i ... sh -s <rootfs.sh`
# works as well.
#
# Decided here: the Debian release and the packages. Which of their files go into the image is decided by
# orchestrator/image/contents.py, an allow list.
set -eu

# The release decides the Python version (trixie: 3.13). The mirror is mmdebstrap's default for it.
SUITE=trixie
# python3.13-minimal is the interpreter; libpython3.13-stdlib the rest of the standard library, and it pulls in the
# shared libraries that its modules link; tzdata is for zoneinfo. A wheel written in C++ would need libstdc++6 too.
PACKAGES=python3.13-minimal,libpython3.13-stdlib,libffi8,tzdata

# What apt downloaded is exactly what gets unpacked. `.debs` records it, as lines "FILE.deb<TAB>./path": packages and
# versions for the image's label, and which files came from which, so that only packages with a file in the image count.
record='cd "$1/var/cache/apt/archives" && for deb in *.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -tf - | sed "s|^|$deb	|"; done >"$1/.debs"'

for tool in mmdebstrap dpkg-deb tar; do
    command -v "$tool" >/dev/null || { echo "rootfs.sh: $tool is not installed" >&2; exit 127; }
done

# extract: unpack only, no maintainer script runs; chrootless: hence neither root nor user namespaces are needed. Newer
# versions refuse chrootless to root, for the sake of those scripts: --skip=check/chrootless.
exec mmdebstrap --quiet --mode=chrootless --skip=check/chrootless --variant=extract --format=tar --include="$PACKAGES" \
    --aptopt='APT::Install-Recommends "false"' --extract-hook="$record" "$SUITE" -
