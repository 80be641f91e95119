#!/usr/bin/env bash
# make test: everything that can be tested here, on real parts, with a clear word on what was not.
# Bounds: everything ends within SPANWAY_TEST_SECONDS (default 5100; a cold 2-core machine has 90
# minutes). Parts that take long to build are built in the background in the order in which the
# tests need them; what time does not suffice for is skipped by name and is not a failure.
set -uo pipefail
cd "$(dirname "$0")/../.."
. ci/checks/suite.sh
started=$SECONDS
total=${SPANWAY_TEST_SECONDS:-5100}
export PARTS_DEADLINE=$(($(date +%s) + total - 600))
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
  tests/parts/clickhouse.sh get
  tests/parts/jaeger.sh get
  tests/parts/prometheus.sh get
  tests/parts/s3.sh get
  tests/parts/loki.sh get
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
step "unit, contract and integration tests" run_ctest build/release -j "$(nproc)" --timeout 300
step "format, tidy tests, clang-tidy on what is changed" ci/checks/lint.sh changed
step "documents made from the binaries" ci/checks/docs.sh check
step "python tests" ci/checks/python_tests.sh
# A suite that runs out of time skips what it did not reach, by name. The harder bound is for a hang.
limited() { # SECONDS COMMAND...
  local seconds=$1
  shift
  TESTS_DEADLINE=$(($(date +%s) + seconds)) timeout --kill-after=60 $((seconds + 600)) "$@"
}
left() { echo $((total - 300 - (SECONDS - started))); }
least() { echo $(($1 < $2 ? $1 : $2)); }
step "e2e tests on real parts" limited "$(least 2400 "$(left)")" ci/checks/e2e.sh
# The clock of the cluster's tests starts when Kubernetes is built, not while it is being built.
while kill -0 "$fetching" 2>/dev/null && [ "$(left)" -gt 900 ] && ! tests/parts/kube.sh cached; do sleep 5; done
if [ "$(left)" -lt 900 ]; then
  echo "== skipped for time: the operator on a real Kubernetes; it is make cluster-test"
elif ! tests/parts/kube.sh cached; then
  echo "== skipped: the operator on a real Kubernetes, because tests/parts/kube.sh could not build it; the end of $log:"
  tail -n 5 "$log"
else
  step "the operator on a real Kubernetes" limited "$(least 2400 "$(left)")" ci/checks/cluster.sh
fi
if [ "${SPANWAY_SANITIZE_IN_TEST:-0}" = 1 ]; then
  step "unit tests under AddressSanitizer and UBSan" ci/checks/sanitize.sh address
fi
echo "== skipped: sanitizer builds, clang-tidy on all files, fuzzing and benchmarks; they are make sanitize, lint, fuzz, bench"

kill "$fetching" 2>/dev/null
echo "== $((SECONDS - started)) s in all"
if [ ${#failed[@]} -gt 0 ]; then
  printf '== FAILED: %s\n' "${failed[@]}"
  exit 1
fi
echo "== everything passed"
