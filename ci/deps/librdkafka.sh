#!/usr/bin/env bash
# Builds librdkafka as a static library into the user's cache, once per version and sanitizer.
#   librdkafka.sh [none|address|thread]      prints the install prefix as its last line
# Debian's 2.0.2 cannot do SCRAM against Kafka 4 and has loss bugs that were fixed later, so the
# version below comes from the source that its maintainers ship inside their npm package.
set -euo pipefail
version=2.15.1
npm_package=@confluentinc/kafka-javascript@1.10.1
# Ours on top, each with its reason inside; count up when one of them changes.
patches=(librdkafka-no-spin.patch librdkafka-fetch-max-bytes.patch
  librdkafka-mock-commit-while-joining.patch librdkafka-rejoin-after-rebalance.patch
  librdkafka-ssl-reload.patch)
patch_level=6
sanitizer=${1:-none}
here=$(cd "$(dirname "$0")" && pwd)
cache=${SPANWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spanway}
prefix=$cache/librdkafka-$version.$patch_level-$sanitizer
options=()
if [ "$sanitizer" = thread ]; then # It knows POSIX threads only, and fails on those of C11.
  options=(--disable-c11threads)
  prefix=$prefix-posix
fi

if [ ! -f "$prefix/.complete" ]; then
  echo "deps: building librdkafka $version ($sanitizer), about a minute" >&2
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/librdkafka-build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack "$npm_package" >npm.log 2>&1 && tar xzf ./*.tgz) || {
    tail -n 20 "$work/npm.log" >&2
    echo "deps: npm cannot fetch $npm_package, which carries librdkafka's source" >&2
    exit 1
  }
  source=$work/package/deps/librdkafka
  grep -q 'RD_KAFKA_VERSION *0x020f01ff' "$source/src/rdkafka.h" || {
    echo "deps: $npm_package no longer carries librdkafka $version" >&2
    exit 1
  }
  for patch in "${patches[@]}"; do patch --directory "$source" --strip 1 --quiet <"$here/$patch"; done
  flags="-O2 -g1 -fPIC"
  [ "$sanitizer" = none ] || flags="$flags -fsanitize=$sanitizer -fno-omit-frame-pointer"
  (
    cd "$source"
    CC="${CC:-gcc}" CFLAGS="$flags" LDFLAGS="${flags##*-fPIC}" ./configure --prefix="$prefix" \
      --disable-gssapi --disable-curl --enable-ssl --enable-zlib --enable-zstd --enable-lz4-ext \
      --disable-debug-symbols "${options[@]}"
    make -C src -j"$(nproc)" librdkafka.a
    mkdir -p "$prefix/lib" "$prefix/include/librdkafka"
    cp src/librdkafka.a "$prefix/lib/"
    cp src/rdkafka.h src/rdkafka_mock.h "$prefix/include/librdkafka/"
  ) >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    exit 1
  }
  touch "$prefix/.complete"
fi
echo "$prefix"
