#!/usr/bin/env bash
# Puts Arrow's C++ headers and its two libraries (arrow, parquet) into the user's cache, once per
# version, and prints their prefix as the last line. Debian 12 has no Arrow; the wheel of pyarrow
# carries the headers and the shared libraries that its maintainers release. Needs python3 with venv.
set -euo pipefail
version=26.0.1
soversion=2600
# The wheel for Python 3.11; its libraries do not depend on Python's version.
case "$(uname -m)" in
x86_64) checksum=39cb0f2418282c24bea6ceda77b03e5a8f0a5766b63a8bf194d4e2a2c423548c ;;
aarch64) checksum=22a96a225de107eb9acd1ad9a818198ca832df2a4c0952412f754a7ed2105a98 ;;
*)
  echo "deps: there is no Arrow for $(uname -m)" >&2
  exit 1
  ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
cache=${SPANWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spanway}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
revision=2 # Count up when what follows the download changes.
prefix=$cache/arrow-$version.$revision

# A second caller waits for the first. The lock goes with the process.
exec 9>"$prefix.lock"
flock 9
if [ ! -f "$prefix/.complete" ]; then
  echo "deps: fetching Arrow $version" >&2
  work=$(mktemp -d "$cache/arrow.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  "${PYTHON:-python3}" -m venv "$work/venv" >&2
  echo "pyarrow==$version --hash=sha256:$checksum" >"$work/requirements.txt"
  "$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-input --no-deps \
    --require-hashes --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 \
    --platform "manylinux_2_28_$(uname -m)" --dest "$work" --requirement "$work/requirements.txt" >&2
  "$work/venv/bin/python" -m zipfile -e "$work"/pyarrow-*.whl "$work/wheel"
  rm -rf "$prefix"
  mkdir -p "$prefix/lib"
  mv "$work/wheel/pyarrow/include" "$prefix/include"
  for name in arrow parquet; do
    strip -o "$prefix/lib/lib$name.so.$soversion" "$work/wheel/pyarrow/lib$name.so.$soversion"
  done
  "$work/venv/bin/python" "$here/hide_c_symbols.py" "$prefix/lib/libparquet.so.$soversion"
  cp "$work"/wheel/pyarrow-*.dist-info/licenses/LICENSE.txt "$prefix/" 2>/dev/null || true
  touch "$prefix/.complete"
fi
echo "$prefix"
