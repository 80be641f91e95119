#!/usr/bin/env python3
"""make demo-redis, make demo-student: applications beside the pipeline of `make up`, one request, and its trace.

demo.py redis --destinations jaeger,zipkin. What runs is kept by a second run: a change of DEST
changes the pipeline only.
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pipeline
from destinations import DESTINATIONS, address, parse, port

ROOT = pipeline.ROOT
RUN = pipeline.RUN / "demo"
APPS = ROOT / "services/demo"
# Behind the ports of the pipeline's services, 8080 to 8099 and 8181 (destinations.py).
SERVER_PORT, REDIS_PORT = port(8188), port(16379)
STUDENT_PORT, POSTGRES_PORT = port(8187), port(15432)
REDIS_SPANS = 4  # GET, GET /hello, publish hello, process hello
STUDENT_SPANS = 7
REDIS_PICTURE = "client GET -> server GET /hello -> publish hello -> Redis -> worker process hello"
STUDENT_PICTURE = """student-api       POST /api/v1/student
                    |- INSERT student           PostgreSQL
                    `- send student             Kafka
  student-fees           `- process student
                              |- UPDATE student
                              `- send student-billing
  student-billing                  `- student-billing receive"""


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
    # The demo waits for its trace: spans are sent after 0.2 s, not after the default of 5 s.
    return dict(
        os.environ, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address(4317)}", OTEL_BSP_SCHEDULE_DELAY="200",
        OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
    )


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_for(what, check, seconds, application=None):
    """Fails early when the application has ended."""
    deadline = time.monotonic() + seconds
    while not check():
        if application is not None and pid_of(application) is None:
            sys.exit(f"demo: {application} has ended; the end of its log:\n" + (RUN / f"{application}.log").read_text()[-2000:])
        if time.monotonic() > deadline:
            sys.exit(f"demo: {what}: not within {seconds} s; see {RUN}")
        time.sleep(0.1)


def part(name, verb, number):
    subprocess.run([ROOT / f"tests/parts/{name}.sh", verb], env=dict(os.environ, ROOT=str(RUN), PORT=str(number)), check=True)


def start_part(name, number):
    if not listens(number):
        say(f"starting {name} on 127.0.0.1:{number}")
        part(name, "start", number)


def wait_for_line(name, line):
    wait_for(name, lambda: line in (RUN / f"{name}.log").read_text(), 60, name)


def show(destinations, trace_id, since, spans, picture, verb):
    say(f"waiting until trace {trace_id} can be read back")
    traces = {name: DESTINATIONS[name].readings[0] for name in destinations}
    for name, trace in traces.items():
        wait_for(f"the trace in {name}", lambda: pipeline.read_back(trace, trace_id, since) >= spans, 60)
    print(f"\n  {picture}\n")
    for name, trace in traces.items():
        print(f"  {name}: " + trace.link(trace_id, since))
    print(f"\n  make {verb} DEST=jaeger,zipkin sends to both while the applications keep running; make demo-down")


def redis_demo(destinations):
    interpreter = python()
    start_part("redis", REDIS_PORT)
    start("hello-worker", [interpreter, APPS / "redis/worker.py", str(REDIS_PORT)])
    start("hello-server", [interpreter, APPS / "redis/server.py", str(SERVER_PORT), str(REDIS_PORT)])
    wait_for("the server", lambda: listens(SERVER_PORT), 20, "hello-server")
    wait_for_line("hello-worker", "subscribed")
    ask = [interpreter, APPS / "redis/client.py", str(SERVER_PORT), "reader"]
    since = time.time()
    done = subprocess.run(ask, stdout=subprocess.PIPE, text=True, check=True, env=environment())
    show(destinations, done.stdout.strip(), since, REDIS_SPANS, REDIS_PICTURE, "demo-redis")


def enrol(firstname, lastname):
    """The ids of the row and of the trace."""
    body = json.dumps({"firstname": firstname, "lastname": lastname}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{STUDENT_PORT}/api/v1/student", data=body)
    with urllib.request.urlopen(request, timeout=20) as answer:
        created = json.loads(answer.read())
    return created["id"], created["trace_id"]


def student_demo(destinations):
    interpreter = pathlib.Path(python())
    start_part("postgres", POSTGRES_PORT)
    broker = address(pipeline.KAFKA_PORT)
    database = f"host=127.0.0.1 port={POSTGRES_PORT} dbname=postgres user=postgres"
    common = ["--kafka", broker, "--database", database, "--endpoint", address(4317)]
    program = str(pipeline.BIN / "spanway-demo-student")
    start("student-api", [program, "api", "--port", str(STUDENT_PORT), *common])
    start("student-fees", [program, "fees", *common])
    # Auto-instrumented.
    agent = [interpreter.parent / "opentelemetry-instrument", "--service_name", "student-billing"]
    start("student-billing", [*agent, interpreter, APPS / "student/billing.py", broker])
    wait_for_line("student-api", "listening")
    wait_for_line("student-fees", "subscribed")
    since = time.time()
    number, trace_id = enrol("Ada", "Lovelace")
    wait_for_line("student-billing", f"student {number},")
    bill = (RUN / "student-billing.log").read_text().strip().splitlines()[-1]
    show(destinations, trace_id, since, STUDENT_SPANS, f"{STUDENT_PICTURE}\n\n  {bill}", "demo-student")


def down():
    names = ("hello-server", "hello-worker", "student-api", "student-fees", "student-billing")
    pids = [pid for name in names if (pid := pid_of(name)) is not None]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    wait_for("the end of the applications", lambda: not any(pipeline.is_running(pid) for pid in pids), 20)
    for name, number in (("redis", REDIS_PORT), ("postgres", POSTGRES_PORT)):
        if listens(number):
            part(name, "stop", number)
    say("the applications and their stores are stopped; the pipeline: make down")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("verb", choices=("redis", "student", "down"))
    arguments.add_argument("--destinations", default="zipkin")
    chosen = arguments.parse_args()
    if chosen.verb == "down":
        down()
    else:
        RUN.mkdir(parents=True, exist_ok=True)
        # Where a trace can be looked up by its id.
        destinations, _ = parse(chosen.destinations)
        readable = [name for name in destinations if "traces" in DESTINATIONS[name].signals]
        if not readable:
            sys.exit("demo: DEST names no destination that a trace is read back from; use zipkin, jaeger, clickhouse, s3 or memory")
        {"redis": redis_demo, "student": student_demo}[chosen.verb](readable)
