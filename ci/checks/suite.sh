#!/usr/bin/env bash
# Runs a test suite; what fails runs once more, alone. A test that passes only then is named as
# FLAKY: it counts as failed where CI=true. Sourced by the other scripts.
#   run_pytest NAME PATH... [pytest arguments]
#   run_ctest FOLDER [ctest arguments]

SECOND_RUN_SECONDS=240

# The rating of the tests that failed first (one a line, $2) and still fail ($3).
rate_suite() { # NAME FIRST SECOND
  local flaky
  flaky=$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3") | sed '/^$/d')
  [ -z "$flaky" ] || sed 's/^/== FLAKY (passed only the second time): /' <<<"$flaky"
  if [ -n "$3" ]; then
    sed 's/^/== FAILED twice: /' <<<"$3"
    return 1
  fi
  [ -z "$flaky" ] || [ "${CI:-}" != true ]
}

run_pytest() {
  local name=$1 cache=$PWD/build/pytest-$1 first second
  shift
  local failed="$cache/v/cache/lastfailed"
  local pytest=("$(ci/deps/python.sh | tail -n 1)" -m pytest -q -rs --rootdir "$PWD" -o cache_dir="$cache")
  rm -f "$failed"
  "${pytest[@]}" "$@" && return 0
  local code=$?
  [ "$code" = 1 ] && [ -s "$failed" ] || return "$code" # Not the tests: collection, usage, a signal.
  first=$(jq -r 'keys[]' "$failed")
  echo "== $name: $(wc -l <<<"$first") failed and run once more, alone"
  # The few tests of the second run may take longer than the time that this suite has used up.
  [ -z "${TESTS_DEADLINE:-}" ] || local -x TESTS_DEADLINE=$((TESTS_DEADLINE + SECOND_RUN_SECONDS))
  "${pytest[@]}" "$@" -rp --last-failed --last-failed-no-failures none | tee "$cache/second.log" || true
  # A test that is skipped the second time, for want of time, has not passed.
  second=$(comm -23 <(sort -u <<<"$first") <(sed -n 's/^PASSED //p' "$cache/second.log" | sort -u))
  rate_suite "$name" "$first" "$second"
}

run_ctest() {
  local folder=$1 first second="" name
  shift
  # Print only the tests that failed: the whole output of a suite hides them.
  local -x GTEST_BRIEF=1
  ctest --test-dir "$folder" --output-on-failure "$@" && return 0
  first=$(sed 's/^[0-9]*://' "$folder/Testing/Temporary/LastTestsFailed.log")
  [ -n "$first" ] || return 1
  for name in $first; do
    echo "== $name failed and runs once more, alone"
    ctest --test-dir "$folder" --output-on-failure --timeout 300 -R "^$name\$" || second+=$name$'\n'
  done
  rate_suite ctest "$first" "${second%$'\n'}"
}
