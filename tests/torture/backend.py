"""A backend that refuses by content: an OTLP/gRPC server before the counting sink."""
from concurrent import futures
import threading
import time

import grpc

POISON = b"poisoned-span"
SIGNALS = {"/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
           "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
           "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics"}


class Backend(grpc.GenericRpcHandler):
    """Requests pass as bytes to `sink` (host:port). The attributes may be changed at any time."""

    def __init__(self, sink):
        self.refused_tenants, self.missing_signals, self.delay = set(), set(), 0.0
        self.forwarded = {}  # (signal, tenant) -> requests that the sink has taken.
        self._lock = threading.Lock()
        self._channel = grpc.insecure_channel(sink, [("grpc.max_send_message_length", -1)])
        self._server = grpc.server(futures.ThreadPoolExecutor(16), [self], options=[("grpc.max_receive_message_length", -1)])
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def service(self, details):
        signal = SIGNALS.get(details.method)
        if signal is None:
            return None
        forward = self._channel.unary_unary(details.method)
        tenant = dict(details.invocation_metadata).get("spanway-tenant", "")

        def export(request, context):
            time.sleep(self.delay)
            if tenant in self.refused_tenants:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, f"tenant {tenant} may not write")
            if signal in self.missing_signals:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no {signal} here")
            if POISON in request:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a span of this request is poisoned")
            try:
                answer = forward(request, timeout=20)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            with self._lock:
                self.forwarded[signal, tenant] = self.forwarded.get((signal, tenant), 0) + 1
            return answer

        return grpc.unary_unary_rpc_method_handler(export)

    def taken(self, signal, tenant):
        with self._lock:
            return self.forwarded.get((signal, tenant), 0)

    def stop(self):
        self._server.stop(1).wait()
        self._channel.close()
