#!/usr/bin/env python3
"""make demo-redis: applications beside the pipeline of `make up`, one request, and its trace.

demo.py redis --destinations jaeger,zipkin. What runs is kept by a second run: a change of DEST
changes the pipeline only.
"""
import argparse
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pipeline
from destinations import DESTINATIONS, address, port

ROOT = pipeline.ROOT
RUN = pipeline.RUN / "demo"
APPS = ROOT / "services/demo/redis"
SERVER_PORT, REDIS_PORT = port(8088), port(16379)
SPANS = 4  # GET, GET /hello, publish hello, process hello


def say(text):
    print(f"demo: {text}", flush=True)


def python():
    done = subprocess.run(
        [ROOT / "ci/deps/python.sh", ROOT / "services/demo/requirements.txt"], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()[-1]


def pid_of(name):
    try:
        pid = int((RUN / f"{name}.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if pipeline.is_running(pid) else None


def start(name, command):
    if pid_of(name) is not None:
        say(f"{name} runs already")
        return
    say(f"starting {name}")
    with open(RUN / f"{name}.log", "wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, env=environment()
        )
    (RUN / f"{name}.pid").write_text(str(process.pid))


def environment():
    return dict(os.environ, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address(4317)}")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_for(what, check, seconds):
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            sys.exit(f"demo: {what}: not within {seconds} s; see {RUN}")
        time.sleep(0.1)


def part(verb):
    subprocess.run([ROOT / "tests/parts/redis.sh", verb], env=dict(os.environ, ROOT=str(RUN), PORT=str(REDIS_PORT)), check=True)


def redis_demo(destinations):
    RUN.mkdir(parents=True, exist_ok=True)
    interpreter = python()
    if not listens(REDIS_PORT):
        say(f"starting Redis on 127.0.0.1:{REDIS_PORT}")
        part("start")
    start("worker", [interpreter, APPS / "worker.py", str(REDIS_PORT)])
    start("server", [interpreter, APPS / "server.py", str(SERVER_PORT), str(REDIS_PORT)])
    wait_for("the server", lambda: listens(SERVER_PORT), 20)
    wait_for("the worker", lambda: "subscribed" in (RUN / "worker.log").read_text(), 20)
    ask = [interpreter, APPS / "client.py", str(SERVER_PORT), "reader"]
    done = subprocess.run(ask, stdout=subprocess.PIPE, text=True, check=True, env=environment())
    since = time.time()
    trace_id = done.stdout.strip()
    say(f"waiting until trace {trace_id} can be read back")
    for destination in destinations:
        wait_for(f"the trace in {destination}", lambda: pipeline.read_back(destination, trace_id, since) >= SPANS, 60)
    print("\n  client GET -> server GET /hello -> publish hello -> Redis -> worker process hello\n")
    for destination in destinations:
        print(f"  {destination}: " + DESTINATIONS[destination].link(trace_id, since))
    print("\n  make demo-redis DEST=jaeger,zipkin sends to both while the applications keep running; make demo-down")


def down():
    pids = [pid for name in ("server", "worker") if (pid := pid_of(name)) is not None]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    wait_for("the end of the applications", lambda: not any(pipeline.is_running(pid) for pid in pids), 20)
    if listens(REDIS_PORT):
        part("stop")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("verb", choices=("redis", "down"))
    arguments.add_argument("--destinations", default="zipkin")
    chosen = arguments.parse_args()
    if chosen.verb == "down":
        down()
    else:
        # Where a trace can be looked up by its id.
        redis_demo([name for name in chosen.destinations.split(",") if DESTINATIONS[name].items.startswith("spans")])
