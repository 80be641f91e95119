"""HTTP server: GET /hello?name=... publishes a message on Redis. server.py PORT REDIS_PORT"""
import http.server
import json
import signal
import sys
import threading
import urllib.parse

import redis
import tracing
from opentelemetry import propagate
from opentelemetry.trace import SpanKind

CHANNEL = "hello"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path != "/hello":
            return self.answer(404, "there is /hello only")
        # The caller's span, from the header `traceparent`.
        parent = propagate.extract({key.lower(): value for key, value in self.headers.items()})
        with TRACER.start_as_current_span("GET /hello", context=parent, kind=SpanKind.SERVER) as span:
            name = urllib.parse.parse_qs(url.query).get("name", ["world"])[0]
            span.set_attributes({"http.request.method": "GET", "http.route": "/hello", "http.response.status_code": 200})
            receivers = publish({"name": name})
            self.answer(200, f"hello {name}, {receivers} workers\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def publish(message):
    with TRACER.start_as_current_span(f"publish {CHANNEL}", kind=SpanKind.PRODUCER) as span:
        span.set_attributes({"messaging.system": "redis", "messaging.destination.name": CHANNEL})
        # A Redis message has no headers: the context is a part of it.
        propagate.inject(message)
        return REDIS.publish(CHANNEL, json.dumps(message))


if __name__ == "__main__":
    TRACER, stop_tracing = tracing.start("demo-server")
    REDIS = redis.Redis(port=int(sys.argv[2]))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    # shutdown() waits for serve_forever(), so it must not run on that thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    stop_tracing()
