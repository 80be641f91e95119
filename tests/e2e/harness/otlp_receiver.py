"""An OTLP/gRPC receiver that keeps every item as bytes, for exact comparison."""
from concurrent import futures
import threading

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


def items_of(request):
    """(resource bytes, scope bytes, item bytes) of each item of an Export request, grouping aside."""
    found = []
    for outer in getattr(request, "resource_spans", None) or getattr(request, "resource_metrics", None) or getattr(request, "resource_logs", ()):
        for inner in getattr(outer, "scope_spans", None) or getattr(outer, "scope_metrics", None) or getattr(outer, "scope_logs", ()):
            items = getattr(inner, "spans", None) or getattr(inner, "metrics", None) or getattr(inner, "log_records", ())
            head = (outer.resource.SerializeToString(deterministic=True), outer.schema_url)
            scope = (inner.scope.SerializeToString(deterministic=True), inner.schema_url)
            found += [(head, scope, item.SerializeToString(deterministic=True)) for item in items]
    return found


class OtlpReceiver:
    """Listens on a free port. `answer` may be replaced by a function (request, context) -> response
    or None, to refuse or delay."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.answer = None
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        for service, module, stub in (
            ("Trace", trace_service_pb2, trace_service_pb2_grpc),
            ("Metrics", metrics_service_pb2, metrics_service_pb2_grpc),
            ("Logs", logs_service_pb2, logs_service_pb2_grpc),
        ):
            response = getattr(module, f"Export{service}ServiceResponse")
            base = getattr(stub, f"{service}ServiceServicer")
            handler = type(f"{service}Handler", (base,), {"Export": self._export(response)})
            getattr(stub, f"add_{service}ServiceServicer_to_server")(handler(), self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.endpoint = f"127.0.0.1:{self.port}"
        self.server.start()

    def _export(self, response):
        def export(_, request, context):
            answer = self.answer
            if answer is not None:
                given = answer(request, context)
                if given is not None:
                    return given
            with self.lock:
                self.requests.append((request, dict(context.invocation_metadata())))
            return response()

        return export

    def items(self):
        with self.lock:
            return [item for request, _ in self.requests for item in items_of(request)]

    def stop(self):
        self.server.stop(0)
