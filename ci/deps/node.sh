#!/usr/bin/env bash
# Installs the Node packages of one folder (package.json and package-lock.json) into the user's
# cache, once per lock file, and prints the path of the node_modules folder.
#   node.sh tests/unit/proto
set -euo pipefail
folder=$(cd "$1" && pwd)
cache=${SPANWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spanway}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
hash=$({ node --version; cat "$folder/package.json" "$folder/package-lock.json"; } | sha256sum | cut -c1-16)
installed=$cache/node-$hash

# A second caller waits for the first. The lock goes with the process.
exec 9>"$installed.lock"
flock 9
if [ ! -f "$installed/.complete" ]; then
  echo "deps: installing the Node packages of $1" >&2
  rm -rf "$installed"
  mkdir -p "$installed"
  cp "$folder/package.json" "$folder/package-lock.json" "$installed/"
  (cd "$installed" && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts --no-progress \
    --fetch-retry-mintimeout=2000 --fetch-retry-maxtimeout=10000) >&2
  touch "$installed/.complete"
fi
echo "$installed/node_modules"
