#!/usr/bin/env bash
# Runs what the real build makes where Lambda would run it: the statically linked binary alone in an empty root,
# as a user of no importance, with DNS and TLS in the way between it and S3.
#
#     tests/chroot.sh [BINARY]
#
# Without BINARY it is built as buildspec.yml builds it. The network is one of its own (a namespace without any
# way out), so the names and certificates of AWS can be played in it. Needs root, unshare, chroot, python3 and
# openssl; says so in one line, and succeeds, where they are missing. Leaves nothing behind.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() {
    echo "skipped: $1"
    exit 0
}
test "$(uname -s)" = Linux || skip "this needs Linux"
test "$(id -u)" = 0 || skip "this needs root, for unshare and chroot"
for tool in unshare chroot python3 openssl; do
    command -v "$tool" >/dev/null || skip "there is no $tool"
done
unshare --net --mount --pid --fork true 2>/dev/null || skip "namespaces cannot be made here"

binary=${1:-}
if [ -z "$binary" ]; then
    target=$(uname -m)-unknown-linux-gnu
    directory=${CARGO_TARGET_DIR:-$here/../target}
    (cd "$here/.." && RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=$directory \
        cargo build --quiet --release --locked --target "$target")
    binary=$directory/$target/release/bootstrap
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Any user has to be able to enter the root.
chmod 0755 "$work"

# The image's file system: what the Dockerfile puts there ...
root=$work/root
install -D -m 0755 "$binary" "$root/var/runtime/bootstrap"
# ... and what Lambda adds.
mkdir -m 0755 "$root/etc"
mkdir -m 1777 "$root/tmp"
echo "nameserver 127.0.0.1" >"$root/etc/resolv.conf"

# An authority of our own, and a certificate for the names of S3.
authority=(-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
openssl req "${authority[@]}" -subj "/CN=test authority" \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl req "${authority[@]}" -subj "/CN=test S3" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
    -addext "basicConstraints=critical,CA:FALSE" \
    -addext "subjectAltName=DNS:s3.eu-central-1.amazonaws.com,DNS:*.s3.eu-central-1.amazonaws.com" \
    -keyout "$work/server.key" -out "$work/server.pem" 2>/dev/null
install -m 0644 "$work/ca.pem" "$root/tmp/ca.pem"

unshare --net --mount --pid --fork --kill-child python3 -B "$here/chroot.py" "$work" "$here/../../images"
