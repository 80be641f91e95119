#!/usr/bin/env bash
# One image with all our programs, made without a container engine: localhost/spanway:VERSION as a
# tar that `ctr images import`, `docker load` and `kind load image-archive` take. It holds the
# stripped programs, the shared libraries they name, CA certificates and two lines of /etc; no shell,
# no package manager, user 65532.
#   oci.sh [OUT.tar]     environment: BIN (folders of binaries, first one wins; build/release/bin),
#                        NAME (localhost/spanway), TAG (the version that spanway-ingress prints)
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-build/images/spanway.tar}
read -ra folders <<<"${BIN:-build/release/bin}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

mkdir -p "$work/bin" "$root"/usr/bin "$root"/etc/ssl/certs "$(dirname "$out")"
for folder in "${folders[@]}"; do
  for binary in "$folder"/spanway*; do
    [ -e "$work/bin/$(basename "$binary")" ] || ln -s "$(realpath "$binary")" "$work/bin/"
  done
done
tag=${TAG:-$("$work/bin/spanway-ingress" --version | awk '{print $2}')}
ci/images/collect.sh "$work/bin" "$work/out" >/dev/null

machine=$(uname -m)
libraries=$root/usr/lib/$machine-linux-gnu
mkdir -p "$libraries"
mv "$work"/out/bin/* "$root/usr/bin/"
mv "$work"/out/lib/* "$libraries/"
# The C library, which the images with a distribution below them have already.
for binary in "$work"/bin/*; do ldd "$(realpath "$binary")"; done | awk '$3 ~ /^\// {print $3}' | sort -u |
  grep -E '/lib(c|m|resolv|pthread|dl|rt)\.so' | xargs -I{} cp -L {} "$libraries/"
loader=$(ldd "$work/bin/spanway-ingress" | grep -oE '/lib[^ ]*/ld-linux[^ ]*')
mkdir -p "$root/usr$(dirname "$loader")"
cp -L "$loader" "$root/usr$loader"
for link in bin lib lib64; do ln -s "usr/$link" "$root/$link"; done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'spanway:x:65532:65532::/nonexistent:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'spanway:x:65532:' >"$root/etc/group"

ci/images/make_image.py "${NAME:-localhost/spanway}:$tag" "$out" --root "$root" --user 65532:65532 \
  --label "org.opencontainers.image.title=spanway" --label "org.opencontainers.image.version=$tag" \
  --label "org.opencontainers.image.licenses=Apache-2.0"
