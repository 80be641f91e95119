"""spanway-query in the place of a Jaeger that the storage tests of Jaeger start: OTLP on 4317, the gRPC API v3 on
16685, and beside them what the tests ask of a Jaeger: GET :13133/status, POST :9231/purge and GET :8888/metrics.

    stand_in.py SPANWAY_QUERY FOLDER [arguments of Jaeger, which are not read]

Runs until it is killed, and its spanway-query with it. A purge is another spanway-query, whose memory is empty."""
import ctypes
import http.server
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

OTLP, API, HEALTH, PURGE, METRICS, ADMIN = 4317, 16685, 13133, 9231, 8888, 18080
SECONDS_MAX = 30
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def get(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}{path}", timeout=5) as answer:
        return answer.read()


def wait_until(check, otherwise):
    deadline = time.monotonic() + SECONDS_MAX
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(0.02)


class Query:
    def __init__(self, binary, folder):
        config = {
            "admin": {"host": "127.0.0.1", "port": ADMIN},
            "api": {"host": "127.0.0.1", "port": 0, "jaeger_grpc_port": API},
            "traces_from": "memory",
            "stores": {"memory": {"grpc_port": OTLP, "bytes": "64MiB"}},
        }
        path = folder / "query.json"
        path.write_text(json.dumps(config))
        self.command = [binary, "--config", path]
        self.log = open(folder / "query.log", "ab")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent
        )
        wait_until(self.ready, "spanway-query does not come up: query.log says why")

    def ready(self):
        try:
            return bool(get("/readyz"))
        except (OSError, urllib.error.URLError):
            return False

    def purge(self):
        writers = self.writers()
        self.process.kill()
        self.process.wait()
        self.start()
        # The writer of the tests fails at once while it waits to connect again.
        wait_until(lambda: self.writers() >= writers, "the writers do not connect again")

    def writers(self):
        opened = re.search(r'^spanway_http_connections_open\{.*listener="otlp_grpc".*\} (\d+)', get("/metrics").decode(), re.MULTILINE)
        return int(opened[1])


def serve(port, answer):
    """`answer` gives the body for a method and a path, or None for 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def reply(self):
            body = answer(self.command, self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        do_GET = do_POST = reply

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    query = Query(sys.argv[1], pathlib.Path(sys.argv[2]))
    query.start()
    purging = threading.Lock()

    def purge(method, path):
        if (method, path) != ("POST", "/purge"):
            return None
        with purging:
            query.purge()
        return b""

    serve(PURGE, purge)
    serve(METRICS, lambda _, path: get("/metrics") if path == "/metrics" else None)
    serve(HEALTH, lambda _, path: b'{"status":"StatusOK"}' if path == "/status" and query.ready() else None)
    threading.Event().wait()


if __name__ == "__main__":
    main()
