# Sourced by the scripts beside it: the cache folder and how to wait.
CACHE=${SPANWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spanway}
mkdir -p "$CACHE"

# wait_until SECONDS PID LOG COMMAND...: polls COMMAND; fails early when PID has died.
wait_until() {
  local polls=$(($1 * 20)) pid=$2 log=$3
  shift 3
  for _ in $(seq "$polls"); do
    "$@" >/dev/null 2>&1 && return 0
    if ! running "$pid"; then
      echo "$(basename "$0"): the process died; the end of $log:" >&2
      tail -n 20 "$log" >&2
      return 1
    fi
    sleep 0.05
  done
  echo "$(basename "$0"): not ready in time; the end of $log:" >&2
  tail -n 20 "$log" >&2
  return 1
}

# running PID: false for a zombie too, which stays until its parent collects it.
running() {
  kill -0 "$1" 2>/dev/null && ! grep -qs '^State:.Z' "/proc/$1/status"
}

# stop_pid FILE: SIGTERM, 20 s, SIGKILL. A process that was stopped (SIGSTOP) is continued first.
stop_pid() {
  [ -f "$1" ] || return 0
  local pid
  pid=$(cat "$1")
  kill -CONT "$pid" 2>/dev/null || true
  kill "$pid" 2>/dev/null || { rm -f "$1"; return 0; }
  for _ in $(seq 400); do
    running "$pid" || { rm -f "$1"; return 0; }
    sleep 0.05
  done
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$1"
}

# A second caller waits for the first one's download or build instead of repeating it.
with_lock() {
  local name=$1
  shift
  (
    flock 9
    "$@"
  ) 9>"$CACHE/.lock-$name"
}
