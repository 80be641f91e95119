#!/usr/bin/env bash
# Installs what building and testing Spanway needs on Debian 12, and nothing twice.
# Needs root or sudo. A tool that is already on PATH (java, mvn, node, npm) is used as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

wanted=()
while read -r package; do
  case "$package" in '' | '#'*) continue ;; esac
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || wanted+=("$package")
done < "$here/packages.txt"
command -v java >/dev/null || wanted+=(openjdk-17-jdk-headless)
command -v mvn >/dev/null || wanted+=(maven)
command -v node >/dev/null || wanted+=(nodejs)
command -v npm >/dev/null || wanted+=(npm)

if [ ${#wanted[@]} -gt 0 ]; then
  echo "deps: installing ${#wanted[@]} Debian packages: ${wanted[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
fi
# Debian published a security update of libnghttp2 (rapid reset, CONTINUATION) that images often lack.
if [ ${#wanted[@]} -gt 0 ]; then
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --only-upgrade libnghttp2-14 >/dev/null
fi
