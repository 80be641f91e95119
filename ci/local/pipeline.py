#!/usr/bin/env python3
"""Runs a whole Spanway on this machine: make up, down, status.

Standard library only. State lives in run/: configs, logs, pid files. Everything listens on
127.0.0.1. A second `up` keeps what already runs with the same configuration. SPANWAY_RUN and
SPANWAY_PORT_OFFSET give a second pipeline a folder and ports of its own.
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

from destinations import (
    CLICKHOUSE_URL,
    DESTINATIONS,
    JAEGER_GRPC_PORT,
    QUERY_PORT,
    ROOT,
    RUN,
    S3_BUCKET,
    address,
    answers,
    get,
    parse,
    port,
    query_ports,
)

BIN = pathlib.Path(os.environ.get("SPANWAY_BIN", ROOT / "build/release/bin"))
KAFKA_PORT = 9092
POLL_SECONDS = 0.05
# A JVM without its second compiler starts in about half of the CPU time; few traces need no more.
JAVA_FLAGS = "-XX:TieredStopAtLevel=1"


def say(text):
    print(f"up: {text}", flush=True)


def fail(text):
    print(f"up: {text}", file=sys.stderr)
    sys.exit(1)


# --- configuration of each service -------------------------------------------------------------


def configs(names):
    """Service name -> (binary, YAML text, admin port, environment)."""
    kafka = {"brokers": [address(KAFKA_PORT)]}
    result = {}

    def add(name, binary, admin_port, environment=None, **sections):
        sections = {"admin": {"host": "127.0.0.1", "port": port(admin_port)}} | sections
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in sections.items())
        result[name] = (binary, text, port(admin_port), environment or {})

    def listener(number):
        return {"host": "127.0.0.1", "grpc": {"port": port(number)}}

    for i, name in enumerate(names):
        destination = DESTINATIONS[name]
        add(
            f"exporter-{name}",
            "spanway-exporter",
            8084 + 2 * i,
            destination.keys,
            otlp=listener(4337 + i),
            trust_metadata=True,
            destination=destination.section,
        )
        add(
            f"consumer-{name}",
            "spanway-kafka-bridge",
            8083 + 2 * i,
            mode="consume",
            kafka=kafka,
            create_topics=True,
            consumer={"destination": name, "signals": destination.signals, "start_from": "earliest"} | destination.consumer,
            destination={"endpoint": address(4337 + i)},
        )
    add("bridge", "spanway-kafka-bridge", 8082, mode="produce", kafka=kafka, create_topics=True, otlp=listener(4327))
    add(
        "ingress",
        "spanway-ingress",
        8080,
        otlp=listener(4317) | {"http": {"port": port(4318)}},
        next={"endpoint": address(4327)},
    )
    others = {name: f"http://127.0.0.1:{admin_port}" for name, (_, _, admin_port, _) in result.items()}
    for i, (name, query_port) in enumerate(query_ports.items()):
        destination = DESTINATIONS[name]
        add(
            f"query-{name}",
            "spanway-query",
            8099 - i,
            destination.keys,
            api={"host": "127.0.0.1", "port": port(query_port), "jaeger_grpc_port": port(JAEGER_GRPC_PORT + query_port - QUERY_PORT)},
            traces_from=name,
            stores={name: destination.store},
            pipeline={"services": dict(others)},
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


def start(name, command, fingerprint, environment=None):
    ours = ("SPANWAY_BIN", "SPANWAY_RUN", "SPANWAY_PORT_OFFSET")  # No keys of the services.
    env = {key: value for key, value in os.environ.items() if key not in ours} | (environment or {})
    with open(RUN / "log" / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=RUN, env=env
        )
    (RUN / "pid" / name).write_text(f"{process.pid} {fingerprint}\n")


def stop(names, seconds=30):
    """Sends SIGTERM to all, then waits for all under one deadline, then SIGKILL."""
    pids = {name: pid for name in names if (pid := pid_of(name)) is not None}
    for pid in pids.values():
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids.values()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for name, pid in pids.items():
        if is_running(pid):
            print(f"down: {name} did not end in {seconds} s and was killed", file=sys.stderr)
            os.kill(pid, signal.SIGKILL)
    for name in names:
        (RUN / "pid" / name).unlink(missing_ok=True)


def wait_for(what, check, seconds, name=None):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        if name is not None and pid_of(name) is None:
            break
        time.sleep(POLL_SECONDS)
    hint = ""
    if name is not None:
        lines = (RUN / "log" / f"{name}.log").read_text(errors="replace").splitlines()[-10:]
        hint = "; the end of its log:\n" + "\n".join(lines)
    fail(f"{what} did not become ready in {seconds} s{hint}")


def run_parts(verb, environments):
    """Starts or stops several parts side by side; each is a tests/parts/<name>.sh with its environment."""
    running = {}
    for name, environment in environments.items():
        env = dict(os.environ, ROOT=str(RUN / "parts"), JAVA_FLAGS=JAVA_FLAGS, **{key: str(value) for key, value in environment.items()})
        running[name] = subprocess.Popen([ROOT / "tests/parts" / f"{name}.sh", verb], env=env, stdin=subprocess.DEVNULL)
    failed = [name for name, process in running.items() if process.wait() != 0]
    if failed:
        fail(f"{', '.join(failed)} could not be {'started' if verb == 'start' else 'stopped'}")


# --- verbs --------------------------------------------------------------------------------------


def part_runs(name):
    try:
        return is_running(int((RUN / "parts" / name / "pid").read_text()))
    except (OSError, ValueError):
        return False


def start_parts(names):
    missing = {}
    if part_runs("kafka"):
        say("kafka runs already")
    else:
        missing["kafka"] = {"PORT": port(KAFKA_PORT)}
    for destination in (DESTINATIONS[name] for name in names if DESTINATIONS[name].part):
        if answers(destination.health):
            say(f"{destination.part} runs already")
        else:
            missing[destination.part] = destination.environment
    if missing:
        say(f"starting {', '.join(missing)}")
        run_parts("start", missing)


def up(names):
    for folder in ("pid", "log", "config", "parts"):
        (RUN / folder).mkdir(parents=True, exist_ok=True)
    start_parts(names)
    if "s3" in names:  # A bucket is a folder of the server's data.
        (RUN / "parts/s3/data" / S3_BUCKET).mkdir(exist_ok=True)
    start_services(configs(names))
    if pid_of("test-app") is None:
        (RUN / "log" / "test-app.log").unlink(missing_ok=True)
        say("starting test-app: one trace every 2 s")
        start("test-app", [str(BIN / "spanway-test-app"), "--endpoint", address(4317), "--interval", "2s"], "-")
    show_data(names)


def start_services(desired):
    stop([old.name for old in (RUN / "pid").iterdir() if old.name not in desired and old.name != "test-app"])
    programs = {name: BIN / binary for name, (binary, *_) in desired.items()}
    fingerprints = {
        name: hashlib.sha256(text.encode() + str(programs[name].stat().st_mtime_ns).encode()).hexdigest()[:16]
        for name, (_, text, *_) in desired.items()
    }
    missing = []
    for name in desired:
        if pid_of(name) is not None and (RUN / "pid" / name).read_text().split()[1] == fingerprints[name]:
            say(f"{name} runs already")
        else:
            missing.append(name)
    stop(missing)

    def ready(name):
        return answers(f"http://127.0.0.1:{desired[name][2]}/readyz")

    # Consumers last: an exporter that is not ready yet would only cost them a retry.
    late = [name for name in missing if name.startswith("consumer-")]
    for group in ([name for name in missing if name not in late], late):
        for name in group:
            _, text, _, environment = desired[name]
            config = RUN / "config" / f"{name}.yaml"
            config.write_text(text)
            config.chmod(0o600)
            if name == "exporter-clickhouse":
                migrate(programs[name], config)
            say(f"starting {name}")
            start(name, [str(programs[name]), "--config", str(config)], fingerprints[name], environment)
        for name in group:
            if name.startswith("exporter-"):
                wait_for(name, lambda: ready(name), 30, name)
    for name in desired:
        wait_for(name, lambda: ready(name), 30, name)


def migrate(program, config):
    say("creating the tables in ClickHouse")
    done = subprocess.run([program, "--config", config, "migrate"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()
        hint = ""
        if CLICKHOUSE_URL:
            hint = "\nup: check CLICKHOUSE_URL, CLICKHOUSE_USERNAME and CLICKHOUSE_PASSWORD"
        elif "was migrated with another" in output:
            hint = f"\nup: to begin with an empty ClickHouse: make down, then delete {RUN / 'parts/clickhouse'}"
        fail(f"the tables could not be created:\n{output}{hint}")


def newest_trace():
    log = RUN / "log" / "test-app.log"
    found = re.findall(r"trace ([0-9a-f]{32})", log.read_text(errors="replace")) if log.exists() else []
    return found[-1] if found else None


def read_back(reading, trace_id, since=0.0):
    try:
        return reading.stored(trace_id, since)
    except (urllib.error.URLError, OSError, ValueError, LookupError):
        return 0


def show_data(names):
    since = time.time()
    wait_for("the first trace of the test-app", lambda: newest_trace() is not None, 20, "test-app")
    trace_id = newest_trace()
    say(f"waiting until trace {trace_id} and what belongs to it can be read back")
    readings = [(name, reading) for name in names for reading in DESTINATIONS[name].readings]
    for name, reading in readings:
        what = f"{reading.items} in {name}"
        wait_for(what, lambda: read_back(reading, trace_id, since) > 0, 60, f"consumer-{name}")
    time.sleep(0.5)
    print()
    for name, reading in readings:
        print(f"  {read_back(reading, trace_id, since)} {reading.items} went through Kafka into {name}:")
        print("    " + reading.link(trace_id, since))
    print()
    print(f"  Send your own: OTEL_EXPORTER_OTLP_ENDPOINT=http://{address(4318)} (http) or :{port(4317)} (grpc)")
    print("  make status, make logs, make down")
    for name in (name for name in names if name in query_ports):
        print(f"  Services, traces, logs and metrics of {name} on one page: http://{address(query_ports[name])}/")


def stop_parts():
    parts = ["kafka", *(destination.part for destination in DESTINATIONS.values() if destination.part)]
    run_parts("stop", {name: {} for name in parts if (RUN / "parts" / name / "pid").exists()})


def down():
    pid_folder = RUN / "pid"
    names = [path.name for path in pid_folder.iterdir()] if pid_folder.exists() else []
    # Sources first, so that what is in flight still arrives: each step ends before the next begins.
    order = ("test-app", "ingress", "bridge", "consumer-", "exporter-", "query")
    for step in order:
        stop([name for name in names if name.startswith(step)])
    stop([name for name in names if not name.startswith(order)])
    stop_parts()
    print("down: everything is stopped; the data of Kafka and the backends are kept in run/parts (delete run/ to start afresh)")


def others():
    """(name, pid) of Kafka, the backends, and the applications of the demos with their stores."""
    files = {path.parent.name: path for path in RUN.glob("parts/*/pid")} | {path.parent.name: path for path in RUN.glob("demo/*/pid")}
    files |= {path.stem: path for path in RUN.glob("demo/*.pid")}
    for name, path in sorted(files.items()):
        try:
            pid = int(path.read_text())
        except (OSError, ValueError):
            continue
        if is_running(pid):
            yield name, pid


def status():
    pid_folder = RUN / "pid"
    names = sorted(path.name for path in pid_folder.iterdir()) if pid_folder.exists() else []
    if not names:
        print("no service runs; start it with: make up")
    healthy = bool(names)
    for name in names:
        pid = pid_of(name)
        if pid is None:
            print(f"{name:20} dead       see run/log/{name}.log")
            healthy = False
            continue
        config = RUN / "config" / f"{name}.yaml"
        found = re.search(r'admin: .*"port": (\d+)', config.read_text()) if config.exists() else None
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
            if (state.get("destination") or {}).get("degraded"):
                detail += f", degraded: only probes are sent, {state['destination']['last_error']}"
            elif state.get("last_error"):
                detail += f", last error: {state['last_error']}"
        except (urllib.error.URLError, OSError, ValueError):
            pass
        print(f"{name:20} {'ready' if ready else 'not ready':10} {detail}")
    for name, pid in others():
        print(f"{name:20} running    pid {pid}")
    sys.exit(0 if healthy else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["parts", "up", "down", "status"])
    parser.add_argument("--destinations", default="zipkin")
    arguments = parser.parse_args()
    names, mistake = parse(arguments.destinations)
    if mistake:
        fail(mistake)
    if arguments.verb == "up":
        up(names)
    elif arguments.verb == "parts":
        print("\n".join(["kafka", *(DESTINATIONS[name].part for name in names if DESTINATIONS[name].part)]))
    elif arguments.verb == "down":
        down()
    else:
        status()


if __name__ == "__main__":
    main()
