#!/usr/bin/env bash
# Runs the release binary in Lambda's conditions: alone in an empty root, as an unprivileged user, with DNS and TLS
# between it and S3.
#
#     tests/chroot.sh [BINARY]
#
# Without BINARY it is built like in buildspec.yml. An isolated network namespace simulates AWS's names and
# certificates. Needs root, unshare, chroot, python3 and openssl; without them it prints one line and succeeds.
# Deletes its files.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() {
    echo "skipped: $1"
    exit 0
}
test "$(uname -s)" = Linux || skip "Linux is required"
test "$(id -u)" = 0 || skip "root is required for unshare and chroot"
for tool in unshare chroot python3 openssl; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
done
unshare --net --mount --pid --fork true 2>/dev/null || skip "namespaces cannot be created here"

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
# Any user must be able to enter the root.
chmod 0755 "$work"

# The image's file system: the Dockerfile's file ...
root=$work/root
install -D -m 0755 "$binary" "$root/var/runtime/bootstrap"
# ... and Lambda's additions.
mkdir -m 0755 "$root/etc"
mkdir -m 1777 "$root/tmp"
echo "nameserver 127.0.0.1" >"$root/etc/resolv.conf"

# A test authority, and a certificate for S3's names.
authority=(-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
openssl req "${authority[@]}" -subj "/CN=test authority" \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl req "${authority[@]}" -subj "/CN=test S3" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
    -addext "basicConstraints=critical,CA:FALSE" \
    -addext "subjectAltName=DNS:s3.eu-central-1.amazonaws.com,DNS:*.s3.eu-central-1.amazonaws.com" \
    -keyout "$work/server.key" -out "$work/server.pem" 2>/dev/null
install -m 0644 "$work/ca.pem" "$root/tmp/ca.pem"

unshare --net --mount --pid --fork --kill-child python3 -B "$here/chroot.py" "$work" "$here/../../images"
