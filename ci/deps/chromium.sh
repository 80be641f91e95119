#!/usr/bin/env bash
# Installs Debian's headless Chromium (100 MB), which tests/web drives over the page of spanway-query, unless a
# Chromium is there. Needs root or sudo. Without it those tests are skipped by name, so a failure is no error of ours.
set -euo pipefail
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

if command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null; then exit 0; fi
echo "deps: installing Chromium for the tests of the page"
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-headless-shell >/dev/null
