#!/usr/bin/env bash
# Puts stripped binaries and the shared libraries they need (the C library's own aside) into a
# folder. collect.sh BIN_FOLDER OUT
set -euo pipefail
bin=$1 out=$2
mkdir -p "$out/bin" "$out/lib"
for name in spanway-ingress spanway-kafka-bridge spanway-exporter spanway-query spanway-operator spanway-load spanway \
  spanway-test-app; do
  [ -x "$bin/$name" ] || continue
  strip -o "$out/bin/$name" "$bin/$name"
  ldd "$(realpath "$bin/$name")" | awk '/not found/ {print "missing: " $1 > "/dev/stderr"; exit 1} $3 ~ /^\// {print $3}'
done | sort -u | grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv|ld-linux-x86-64)\.so' |
  xargs -r -I{} cp -Lu {} "$out/lib/"
du -sh "$out/bin" "$out/lib"
