"""An OTLP/HTTP backend that treats each tenant in its own way: accepts, refuses, or does not answer."""
import gzip
import http.server
import threading

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

TENANT_HEADER = "x-scope-orgid"


def span_names(request):
    return [span.name for r in request.resource_spans for s in r.scope_spans for span in s.spans]


class TenantBackend:
    """Listens on a free port. `behave` maps a tenant to a function of the spans' names that returns a
    status, or None for a request that gets no answer before `release()`; others are accepted.
    `accepts`: a function of the headers; 401 where it is false."""

    def __init__(self, behave=None, accepts=lambda _: True):
        self.behave = dict(behave or {})
        self.lock = threading.Lock()
        self.accepted = []
        self.unanswered = {}  # By tenant: requests that were held and not released.
        self._released = threading.Event()
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                names = span_names(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
                tenant = self.headers.get(TENANT_HEADER, "")
                status = backend.behave.get(tenant, lambda _: 200)(names) if accepts(self.headers) else 401
                if status is None:
                    backend.hold(tenant)
                    self.close_connection = True
                    return
                if status == 200:
                    with backend.lock:
                        backend.accepted += names
                text = b"" if status == 200 else b"refused: " + tenant.encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-protobuf" if status == 200 else "text/plain")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass  # Clients give up requests that get no answer.

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hold(self, tenant):
        with self.lock:
            self.unanswered[tenant] = self.unanswered.get(tenant, 0) + 1
            released = self._released
        released.wait()

    def release(self):
        """Requests without an answer end; later ones may be held again."""
        with self.lock:
            self._released.set()
            self._released = threading.Event()
            self.unanswered = {}

    def names(self, tenant=None):
        """The names of the accepted spans, in order; those of a tenant begin with its name."""
        with self.lock:
            return [name for name in self.accepted if tenant is None or name.startswith(tenant + "-")]

    def stop(self):
        self.release()
        self.server.shutdown()
