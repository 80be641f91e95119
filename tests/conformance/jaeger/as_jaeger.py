"""spanway-query in the place of a Jaeger that the storage tests of Jaeger start: OTLP on 4317, the gRPC API v3 on
16685, and beside them what the tests ask of a Jaeger: GET :13133/status, POST :9231/purge and GET :8888/metrics.

    as_jaeger.py SPANWAY_QUERY FOLDER [arguments of Jaeger, which are not read]

Runs until it is killed, and its spanway-query with it. A purge is another spanway-query, whose memory is empty. The
ports of the tests are forwarded: a client that connects during a purge waits. Refused or cut before it has an answer, it
would fail all calls for a second."""
import ctypes
import http.server
import json
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HEALTH, PURGE, METRICS, ADMIN = 13133, 9231, 8888, 18080
# Ports of spanway-query, by those of the tests.
OTLP, API = {4317: 18081}, {16685: 18082}
SECONDS_MAX = 30
PR_SET_PDEATHSIG = 1
# The first bytes of a client of HTTP/2, with the head of its settings, which the server's follow.
PREFACE_BYTES = 24 + 9


def die_with_parent():
    """With the thread that started it, which is the main one therefore."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def get(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}{path}", timeout=5) as answer:
        return answer.read()


def wait_until(check, otherwise):
    deadline = time.monotonic() + SECONDS_MAX
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(0.02)  # Between two probes of its admin port, SECONDS_MAX in all.


class Query:
    def __init__(self, binary, folder):
        config = {
            "admin": {"host": "127.0.0.1", "port": ADMIN},
            "api": {"host": "127.0.0.1", "port": 0, "jaeger_grpc_port": API[16685]},
            "traces_from": "memory",
            "stores": {"memory": {"grpc_port": OTLP[4317], "bytes": "64MiB"}},
        }
        path = folder / "query.json"
        path.write_text(json.dumps(config))
        self.command = [binary, "--config", path]
        self.log = open(folder / "query.log", "ab")
        self.process = None
        self.up = threading.Event()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent
        )
        wait_until(self.ready, "spanway-query does not come up: query.log says why")
        self.up.set()

    def ready(self):
        try:
            return bool(get("/readyz"))
        except (OSError, urllib.error.URLError):
            return False

    def purge(self):
        self.up.clear()
        self.process.kill()
        self.process.wait()
        self.start()


def pump(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def first_answer(query, port, request):
    """A connection to spanway-query, and what it answers first; to the next one when it is purged before that."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        query.up.wait(SECONDS_MAX)
        try:
            server = socket.create_connection(("127.0.0.1", port))
            server.sendall(request)
            if answer := server.recv(1 << 16):
                return server, answer
        except OSError:
            pass
        time.sleep(0.02)  # Until the next spanway-query listens, SECONDS_MAX in all.
    raise RuntimeError("spanway-query does not answer")


def forward(ports, query):
    def connect(client, port):
        request = b""
        while len(request) < PREFACE_BYTES:
            more = client.recv(1 << 16)
            if not more:
                return
            request += more
        server, answer = first_answer(query, port, request)
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        client.sendall(answer)
        pump(server, client)

    def accept(listener, port):
        while True:
            threading.Thread(target=connect, args=(listener.accept()[0], port), daemon=True).start()

    for outer, inner in ports.items():
        listener = socket.create_server(("127.0.0.1", outer))
        threading.Thread(target=accept, args=(listener, inner), daemon=True).start()


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
    purges = queue.Queue()

    def purge(method, path):
        if (method, path) != ("POST", "/purge"):
            return None
        done = threading.Event()
        purges.put(done)
        return b"" if done.wait(SECONDS_MAX) else None

    forward({**OTLP, **API}, query)
    serve(PURGE, purge)
    serve(METRICS, lambda _, path: get("/metrics") if path == "/metrics" else None)
    serve(HEALTH, lambda _, path: b'{"status":"StatusOK"}' if path == "/status" and query.ready() else None)
    while True:
        done = purges.get()
        query.purge()
        done.set()


if __name__ == "__main__":
    main()
