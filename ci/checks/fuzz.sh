#!/usr/bin/env bash
# Runs every libFuzzer target for FUZZ_SECONDS (default 60) on its corpus; new inputs stay in build/.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null
cmake --build build/fuzz --target fuzzers
for target in build/fuzz/bin/*_fuzz; do
  name=$(basename "$target" _fuzz)
  mkdir -p "build/fuzz/corpus/$name"
  echo "== $name"
  "$target" -max_total_time="${FUZZ_SECONDS:-60}" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
done
