#!/usr/bin/env bash
# Unit, contract and integration tests under sanitizers. sanitize.sh [address|thread]; both by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
for sanitizer in ${1:-address thread}; do
  preset=$([ "$sanitizer" = address ] && echo asan || echo tsan)
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"build/configure-$preset.log" 2>&1 ||
    { tail -n 30 "build/configure-$preset.log"; exit 1; }
  cmake --build "build/$preset" -j "$(nproc)" --target sanitized_tests >"build/build-$preset.log" 2>&1 ||
    { grep -E 'error|FAILED' -A 5 "build/build-$preset.log" | head -n 40; exit 1; }
  ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" -L 'unit|contract|integration' --timeout 600
done
