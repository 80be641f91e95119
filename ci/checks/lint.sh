#!/usr/bin/env bash
# lint.sh [all | changed]: format, shell and Python syntax, tidy tests, clang-tidy with clang's
# thread-safety analysis. `changed` limits clang-tidy to the sources that differ from the merge base
# with the main branch (LINT_BASE names another commit); the rest always covers everything. The layer
# check is a part of configuring (ci/cmake/SpanwayTargets.cmake).
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
note() { echo "lint: $*"; failed=1; }

files=$(git ls-files '*.cc' '*.h')
unformatted=$(echo "$files" | xargs -P 2 -n 20 clang-format-14 --dry-run 2>&1 | grep -oE '^[^ :]+\.(cc|h)' | sort -u)
[ -z "$unformatted" ] || note "not formatted (make format corrects it):
$unformatted"

for script in $(git ls-files '*.sh' .ci/run); do bash -n "$script" || note "$script does not parse"; done
git ls-files '*.py' | xargs python3 -m py_compile || note "Python files do not compile"
python3 tests/tidy/tidy_test.py || note "tidy tests failed"

# Files that the working tree changes since the main branch; fails where there is nothing to compare with.
changed_files() {
  local main base=${LINT_BASE:-}
  for main in origin/main main; do
    [ -n "$base" ] || base=$(git merge-base HEAD "$main" 2>/dev/null) || base=
  done
  [ -n "$base" ] || return 1
  git diff --name-only --diff-filter=d "$base"
}

# A changed header is checked through the source file of its name.
touched_sources() {
  sed -n -E 's/^((services|operator)\/.*)\.(cc|h)$/\1.cc/p' | sort -u | while read -r source; do
    [ ! -f "$source" ] || echo "$source"
  done
}

sources=$(git ls-files 'services/*.cc' 'operator/*.cc')
if [ "${1:-all}" = changed ]; then
  if ! changes=$(changed_files); then
    echo "lint: SKIPPED clang-tidy: no main branch to compare with; make lint checks all files"
    sources=
  else
    sources=$(echo "$changes" | touched_sources)
    [ -n "$sources" ] || echo "lint: SKIPPED clang-tidy: no source differs from the main branch"
  fi
fi
if [ -n "$sources" ]; then
  [ -f build/release/compile_commands.json ] || cmake --preset release >/dev/null || exit 1
  echo "lint: clang-tidy on $(echo "$sources" | wc -l) files"
  echo "$sources" | xargs -P "$(nproc)" -n 1 clang-tidy-14 -p build/release --quiet >build/tidy.log 2>/dev/null
  grep -E 'warning:|error:' build/tidy.log | sort -u | head -n 50
  grep -qE 'warning:|error:' build/tidy.log && note "clang-tidy found the above"
fi
[ "$failed" = 0 ] && echo "lint: clean"
exit "$failed"
