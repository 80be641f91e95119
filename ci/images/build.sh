#!/usr/bin/env bash
# Builds all images with Docker or a compatible builder (BUILDER=podman).
set -euo pipefail
cd "$(dirname "$0")/../.."
builder=${BUILDER:-docker} tag=${TAG:-dev}
"$builder" info >/dev/null 2>&1 || {
  echo "images: '$builder info' fails: no container engine runs here. Start one, or set BUILDER." >&2
  exit 1
}
for target in ingress kafka-bridge exporter query spanway test-app; do
  image=$([ "$target" = spanway ] && echo spanway || echo "spanway-$target")
  "$builder" build -f ci/images/Dockerfile --target "$target" -t "$image:$tag" .
done
