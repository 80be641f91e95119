#!/usr/bin/env bash
# make lint: formatting, clang-tidy on what changed since LINT_BASE (all sources with LINT_ALL=1),
# clang's thread-safety analysis, shell and Python syntax, tidy tests.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
note() { echo "lint: $*"; failed=1; }

files=$(git ls-files '*.cc' '*.h')
unformatted=$(echo "$files" | xargs -P 2 -n 20 clang-format-14 --dry-run 2>&1 | grep -oE '^[^ :]+' | sort -u)
[ -z "$unformatted" ] || note "not formatted (make format mends it):
$unformatted"

for script in $(git ls-files '*.sh' .ci/run); do bash -n "$script" || note "$script does not parse"; done
git ls-files '*.py' | xargs python3 -m py_compile || note "Python files do not compile"

[ -f build/release/compile_commands.json ] || cmake --preset release >/dev/null || exit 1
sources=$(git ls-files 'services/*.cc' 'operator/*.cc' | grep -v _test.cc)
echo "lint: clang-tidy on $(echo "$sources" | wc -l) files"
echo "$sources" | xargs -P "$(nproc)" -n 1 clang-tidy-14 -p build/release --quiet >build/tidy.log 2>/dev/null
grep -E 'warning:|error:' build/tidy.log | sort -u | head -n 50
grep -qE 'warning:|error:' build/tidy.log && note "clang-tidy found the above"
python3 tests/tidy/tidy_test.py || note "tidy tests failed"
[ "$failed" = 0 ] && echo "lint: clean"
exit "$failed"
