#!/usr/bin/env bash
# Puts stripped binaries, the library that they load when they write or read Parquet, and the shared
# libraries that these need (the C library's own aside) into a folder. collect.sh BIN_FOLDER OUT
set -euo pipefail
bin=$1 out=$2
mkdir -p "$out/bin" "$out/lib"
needs() {
  ldd "$1" | awk '/not found/ {print "missing: " $1 > "/dev/stderr"; exit 1} $3 ~ /^\// {print $3}'
}
for name in spanway-ingress spanway-kafka-bridge spanway-exporter spanway-query spanway-operator spanway-load spanway \
  spanway-test-app; do
  [ -x "$bin/$name" ] || continue
  strip -o "$out/bin/$name" "$bin/$name"
  needs "$(realpath "$bin/$name")"
  [ "$name" = spanway-exporter ] || continue
  loaded=$(dirname "$(realpath "$bin/$name")")/../lib/libspanway_parquet.so
  strip -o "$out/lib/libspanway_parquet.so" "$loaded"
  needs "$loaded"
done | sort -u | grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv|ld-linux-x86-64)\.so' |
  xargs -r -I{} cp -Lu {} "$out/lib/"
du -sh "$out/bin" "$out/lib"
