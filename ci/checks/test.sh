#!/usr/bin/env bash
# make test: everything that can be tested here, on real parts, with a clear word on what was not.
# Bounds: a cold 2-core machine has 90 minutes. Parts that take long to build are fetched in the
# background; what is not there when 60 minutes are used is skipped by name.
set -uo pipefail
cd "$(dirname "$0")/../.."
started=$SECONDS
export PARTS_DEADLINE=$(($(date +%s) + ${SPANWAY_TEST_SECONDS:-4500}))
mkdir -p build
ci/deps/install.sh || exit 1

log=build/parts.log
(
  tests/parts/kafka.sh get
  tests/parts/zipkin.sh get
  ci/deps/python.sh
  tests/parts/sdk.sh js
  tests/parts/sdk.sh java
  tests/parts/telemetrygen.sh
  tests/parts/jaeger.sh get
  tests/parts/kube.sh get
) >"$log" 2>&1 </dev/null &
fetching=$!

failed=()
step() { # NAME COMMAND...
  local name=$1 before=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    echo "== $name: passed in $((SECONDS - before)) s"
  else
    echo "== $name: FAILED after $((SECONDS - before)) s"
    failed+=("$name")
  fi
}

build() {
  if [ ! -f build/release/build.ninja ]; then
    cmake --preset release >build/configure.log 2>&1 || { tail -n 30 build/configure.log; return 1; }
  fi
  cmake --build build/release -j "$(nproc)" >build/build.log 2>&1 || { grep -E 'error|FAILED' -A 5 build/build.log | head -n 60; return 1; }
}
step build build
if [ ${#failed[@]} -gt 0 ]; then
  kill "$fetching" 2>/dev/null
  echo "the build failed; nothing was tested"
  exit 1
fi
step "unit, contract and integration tests" ctest --test-dir build/release --output-on-failure -j "$(nproc)" --timeout 300 --repeat until-pass:2
step "documents made from the binaries" ci/checks/docs.sh check
step "python tests" ci/checks/python_tests.sh
step "e2e tests on real parts" ci/checks/e2e.sh
if [ $((SECONDS - started)) -lt 3600 ]; then
  left=$((5200 - (SECONDS - started)))
  step "the operator on a real Kubernetes" timeout --kill-after=60 $((left < 2100 ? left : 2100)) ci/checks/cluster.sh
else
  echo "== skipped: the operator on a real Kubernetes, because an hour is used up; it is make cluster-test"
fi
if [ "${SPANWAY_SANITIZE_IN_TEST:-0}" = 1 ]; then
  step "unit tests under AddressSanitizer and UBSan" ci/checks/sanitize.sh address
fi
echo "== skipped: sanitizer builds, lint, fuzzing and benchmarks; they are make sanitize, lint, fuzz, bench"

kill "$fetching" 2>/dev/null
echo "== $((SECONDS - started)) s in all"
if [ ${#failed[@]} -gt 0 ]; then
  printf '== FAILED: %s\n' "${failed[@]}"
  exit 1
fi
echo "== everything passed"
