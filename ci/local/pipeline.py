#!/usr/bin/env python3
"""Runs a whole Spanway on this machine: make up, down, status.

Standard library only. State lives in run/: configs, logs, pid files. Everything listens on
127.0.0.1. A second `up` keeps what already runs with the same configuration.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "run"
BIN = pathlib.Path(os.environ.get("SPANWAY_BIN", ROOT / "build/release/bin"))
KAFKA_PORT = 9092
BACKENDS = {
    "zipkin": {"port": 9411, "page": "http://127.0.0.1:9411/zipkin/traces/{trace_id}"},
    "jaeger": {"port": 16686, "page": "http://127.0.0.1:16686/api/traces/{trace_id}"},
    "clickhouse": {"port": 8123, "page": "http://127.0.0.1:8081/api/traces/{trace_id}"},
}
QUERY_PORT, QUERY_ADMIN_PORT, QUERY_METRICS_PORT = 8081, 8090, 9091
# A server of the user's own in place of the one that is started here.
CLICKHOUSE_URL = os.environ.get("CLICKHOUSE_URL", "")


def say(text):
    print(f"up: {text}", flush=True)


def fail(text):
    print(f"up: {text}", file=sys.stderr)
    sys.exit(1)


# --- configuration of each service -------------------------------------------------------------


def clickhouse_keys():
    """The keys that the exporter's destination and the store of spanway-query share."""
    keys = {"endpoint": CLICKHOUSE_URL or f"http://127.0.0.1:{BACKENDS['clickhouse']['port']}"}
    for key in ("username", "password"):
        if value := os.environ.get(f"CLICKHOUSE_{key.upper()}"):
            keys[key] = value
    return json.dumps(keys)


def configs(destinations):
    """Service name -> (binary, YAML text, admin port)."""
    kafka = f"kafka:\n  brokers: [127.0.0.1:{KAFKA_PORT}]\n"
    result = {}

    def add(name, binary, admin_port, body):
        text = f"admin: {{host: 127.0.0.1, port: {admin_port}}}\n" + body
        result[name] = (binary, text, admin_port)

    for i, destination in enumerate(destinations):
        otlp_port, exporter_admin, consumer_admin = 4337 + 10 * i, 8084 + 10 * i, 8083 + 10 * i
        if destination == "zipkin":
            target = "  type: zipkin\n  zipkin: {endpoint: http://127.0.0.1:9411/api/v2/spans}\n"
        elif destination == "clickhouse":
            target = f"  type: clickhouse\n  clickhouse: {clickhouse_keys()}\n"
        else:
            target = "  type: otlp_grpc\n  otlp_grpc: {endpoint: 127.0.0.1:24317}\n"
        add(
            f"exporter-{destination}",
            "spanway-exporter",
            exporter_admin,
            f"otlp: {{host: 127.0.0.1, grpc: {{port: {otlp_port}}}}}\ndestination:\n{target}",
        )
        add(
            f"consumer-{destination}",
            "spanway-kafka-bridge",
            consumer_admin,
            "mode: consume\n" + kafka + "create_topics: true\n"
            f"consumer:\n  destination: {destination}\n  signals: [traces]\n  start_from: earliest\n"
            f"destination: {{endpoint: 127.0.0.1:{otlp_port}}}\n",
        )
    if "clickhouse" in destinations:
        result["query"] = (
            "spanway-query",
            f"admin: {{host: 127.0.0.1, port: {QUERY_ADMIN_PORT}, metrics_port: {QUERY_METRICS_PORT}}}\n"
            f"api: {{host: 127.0.0.1, port: {QUERY_PORT}}}\nstores:\n  clickhouse: {clickhouse_keys()}\n",
            QUERY_ADMIN_PORT,
        )
    add(
        "bridge",
        "spanway-kafka-bridge",
        8082,
        "mode: produce\n" + kafka + "create_topics: true\notlp: {host: 127.0.0.1, grpc: {port: 4327}}\n",
    )
    add(
        "ingress",
        "spanway-ingress",
        8080,
        "otlp: {host: 127.0.0.1, grpc: {port: 4317}, http: {port: 4318}}\n"
        "next: {endpoint: 127.0.0.1:4327}\n",
    )
    return result


# --- processes ----------------------------------------------------------------------------------


def is_running(pid):
    """False for a zombie too, which stays until its parent collects it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def pid_of(name):
    try:
        pid = int((RUN / "pid" / name).read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if is_running(pid) else None


def start(name, command, fingerprint):
    log = open(RUN / "log" / f"{name}.log", "ab")
    process = subprocess.Popen(
        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=RUN
    )
    (RUN / "pid" / name).write_text(f"{process.pid} {fingerprint}\n")


def stop(names, seconds=30):
    """Sends SIGTERM to all, then waits for all under one deadline, then SIGKILL."""
    pids = {name: pid for name in names if (pid := pid_of(name)) is not None}
    for pid in pids.values():
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    for name, pid in pids.items():
        if is_running(pid):
            print(f"down: {name} did not end in {seconds} s and was killed", file=sys.stderr)
            os.kill(pid, signal.SIGKILL)
    for name in names:
        (RUN / "pid" / name).unlink(missing_ok=True)


def get(url, timeout=2.0):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def answers(url):
    try:
        get(url)
        return True
    except (urllib.error.URLError, OSError):
        return False


def wait_for(what, check, seconds, name=None):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        if name is not None and pid_of(name) is None:
            break
        time.sleep(0.1)
    hint = ""
    if name is not None:
        lines = (RUN / "log" / f"{name}.log").read_text(errors="replace").splitlines()[-10:]
        hint = "; the end of its log:\n" + "\n".join(lines)
    fail(f"{what} did not become ready in {seconds} s{hint}")


def part(name, verb, **environment):
    env = dict(os.environ, ROOT=str(RUN / "parts"), **environment)
    done = subprocess.run([ROOT / "tests/parts" / f"{name}.sh", verb], env=env, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        fail(f"{name} could not be {'started' if verb == 'start' else 'stopped'}")


# --- verbs --------------------------------------------------------------------------------------


def start_part(name, port, url):
    if url is not None and answers(url):
        say(f"{name} runs already")
        return
    if url is None:
        pid_file = RUN / "parts" / name / "pid"
        try:
            os.kill(int(pid_file.read_text()), 0)
            say(f"{name} runs already")
            return
        except (OSError, ValueError):
            pass
    say(f"starting {name} on 127.0.0.1:{port}")
    part(name, "start", **({} if name == "jaeger" else {"PORT": str(port)}))


def up(destinations):
    for folder in ("pid", "log", "config", "parts"):
        (RUN / folder).mkdir(parents=True, exist_ok=True)
    start_part("kafka", KAFKA_PORT, None)
    for destination in destinations:
        port = BACKENDS[destination]["port"]
        if destination == "clickhouse":
            if not CLICKHOUSE_URL:
                start_part("clickhouse", port, f"http://127.0.0.1:{port}/ping")
            continue
        health = f"http://127.0.0.1:{port}/health" if destination == "zipkin" else "http://127.0.0.1:23133/status"
        start_part(destination, port, health)

    desired = configs(destinations)
    for old in (RUN / "pid").iterdir():
        if old.name not in desired and old.name != "test-app":
            stop([old.name])
    for name, (binary, text, admin_port) in desired.items():
        config = RUN / "config" / f"{name}.yaml"
        program = BIN / binary
        fingerprint = hashlib.sha256(text.encode() + str(program.stat().st_mtime_ns).encode()).hexdigest()[:16]
        pid_file = RUN / "pid" / name
        if pid_of(name) is not None and pid_file.read_text().split()[1] == fingerprint:
            say(f"{name} runs already")
            continue
        stop([name])
        config.write_text(text)
        config.chmod(0o600)
        if name == "exporter-clickhouse":
            migrate(program, config)
        say(f"starting {name}")
        start(name, [str(program), "--config", str(config)], fingerprint)
    for name, (_, _, admin_port) in desired.items():
        wait_for(name, lambda: answers(f"http://127.0.0.1:{admin_port}/readyz"), 30, name)

    if pid_of("test-app") is None:
        (RUN / "log" / "test-app.log").unlink(missing_ok=True)
        say("starting test-app: one trace every 2 s")
        start("test-app", [str(BIN / "spanway-test-app"), "--endpoint", "127.0.0.1:4317", "--interval", "2s"], "-")
    show_trace(destinations)


def migrate(program, config):
    say("creating the tables in ClickHouse")
    done = subprocess.run([program, "--config", config, "migrate"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        fail(f"the tables could not be created:\n{done.stdout}{done.stderr}")


def newest_trace():
    log = RUN / "log" / "test-app.log"
    found = re.findall(r"trace ([0-9a-f]{32})", log.read_text(errors="replace")) if log.exists() else []
    return found[-1] if found else None


def read_back(destination, trace_id):
    port = QUERY_PORT if destination == "clickhouse" else BACKENDS[destination]["port"]
    path = f"/api/v2/trace/{trace_id}" if destination == "zipkin" else f"/api/traces/{trace_id}"
    try:
        body = json.loads(get(f"http://127.0.0.1:{port}{path}"))
        return len(body) if destination == "zipkin" else len(body["data"][0]["spans"])
    except (urllib.error.URLError, OSError, ValueError, LookupError):
        return 0


def show_trace(destinations):
    wait_for("the first trace of the test-app", lambda: newest_trace() is not None, 20, "test-app")
    trace_id = newest_trace()
    say(f"waiting until trace {trace_id} can be read back")
    for destination in destinations:
        wait_for(
            f"trace {trace_id} in {destination}", lambda: read_back(destination, trace_id) > 0, 40, f"consumer-{destination}"
        )
    time.sleep(0.5)
    print()
    for destination in destinations:
        print(f"  {read_back(destination, trace_id)} spans of one trace went through Kafka into {destination}:")
        print("    " + BACKENDS[destination]["page"].format(trace_id=trace_id))
    print()
    print("  Send your own: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 (http) or :4317 (grpc)")
    print("  make status, make logs, make down")


def stop_parts():
    env = dict(os.environ, ROOT=str(RUN / "parts"))
    stopping = {
        name: subprocess.Popen([ROOT / "tests/parts" / f"{name}.sh", "stop"], env=env, stdin=subprocess.DEVNULL)
        for name in ("jaeger", "zipkin", "clickhouse", "kafka")
        if (RUN / "parts" / name / "pid").exists()
    }
    for name, process in stopping.items():
        if process.wait() != 0:
            fail(f"{name} could not be stopped")


def down():
    pid_folder = RUN / "pid"
    names = [path.name for path in pid_folder.iterdir()] if pid_folder.exists() else []
    # Sources first, so that what is in flight still arrives: each step ends before the next begins.
    order = ("test-app", "ingress", "bridge", "consumer-", "exporter-", "query")
    for step in order:
        stop([name for name in names if name.startswith(step)])
    stop([name for name in names if not name.startswith(order)])
    stop_parts()
    print("down: everything is stopped; the data of Kafka is kept in run/parts (delete run/ to start afresh)")


def status():
    pid_folder = RUN / "pid"
    names = sorted(path.name for path in pid_folder.iterdir()) if pid_folder.exists() else []
    if not names:
        print("nothing runs; start it with: make up")
        sys.exit(1)
    healthy = True
    for name in names:
        pid = pid_of(name)
        if pid is None:
            print(f"{name:20} dead       see run/log/{name}.log")
            healthy = False
            continue
        config = RUN / "config" / f"{name}.yaml"
        found = re.search(r"admin: .*port: (\d+)", config.read_text()) if config.exists() else None
        if found is None:
            print(f"{name:20} running    pid {pid}")
            continue
        ready = answers(f"http://127.0.0.1:{found[1]}/readyz")
        healthy &= ready
        detail = f"pid {pid}, admin http://127.0.0.1:{found[1]}"
        try:
            state = json.loads(get(f"http://127.0.0.1:{found[1]}/statusz"))
            lags = [p.get("lag_messages", 0) for p in state.get("partitions", [])]
            if lags:
                detail += f", lag {sum(lags)} records"
            if state.get("last_error"):
                detail += f", last error: {state['last_error']}"
        except (urllib.error.URLError, OSError, ValueError):
            pass
        print(f"{name:20} {'ready' if ready else 'not ready':10} {detail}")
    sys.exit(0 if healthy else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["up", "down", "status"])
    parser.add_argument("--destinations", default="zipkin")
    arguments = parser.parse_args()
    if arguments.verb == "up":
        up(arguments.destinations.split(","))
    elif arguments.verb == "down":
        down()
    else:
        status()


if __name__ == "__main__":
    main()
