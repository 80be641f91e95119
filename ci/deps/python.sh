#!/usr/bin/env bash
# Makes a Python environment in the user's cache, once per list of requirements, and prints the path
# of its python. python.sh [REQUIREMENTS], default tests/requirements.txt. Needs python3 with venv
# (Debian: python3-venv).
set -euo pipefail
requirements=$(realpath "${1:-$(dirname "$0")/../../tests/requirements.txt}")
python=${PYTHON:-python3}
cache=${SPANWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spanway}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
hash=$({ "$python" --version; cat "$requirements"; } | sha256sum | cut -c1-16)
venv=$cache/venv-$hash

# A second caller waits for the first. The lock goes with the process.
exec 9>"$venv.lock"
flock 9
if [ ! -f "$venv/.complete" ]; then
  echo "deps: installing the Python packages of ${requirements#"$PWD"/}" >&2
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --requirement "$requirements" >&2
  touch "$venv/.complete"
fi
echo "$venv/bin/python"
