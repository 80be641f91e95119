"""Telemetry of a small shop over the last hour, for tests of the page: services that call each other, an
operation that fails, one that calls the database once for each item, log lines with trace ids, and metrics."""
import random
import time

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

MS = 1_000_000
SERVER, CLIENT, INTERNAL, PRODUCER, CONSUMER = (
    Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER,
)  # fmt: skip


def pair(key, value):
    kind = "int_value" if isinstance(value, int) else "string_value"
    return KeyValue(key=key, value=AnyValue(**{kind: value}))


class Telemetry:
    """Spans and records by service, as one request of each signal."""

    def __init__(self, seed=7):
        self.random = random.Random(seed)
        self.traces = trace_service_pb2.ExportTraceServiceRequest()
        self.logs = logs_service_pb2.ExportLogsServiceRequest()
        self.metrics = metrics_service_pb2.ExportMetricsServiceRequest()
        self.scopes = {}

    def scope(self, request, groups, service):
        key = (groups, service)
        if key not in self.scopes:
            group = getattr(request, f"resource_{groups}").add()
            group.resource.attributes.extend([pair("service.name", service), pair("service.version", "1.4.2"), pair("k8s.namespace.name", "shop")])
            self.scopes[key] = getattr(group, f"scope_{groups}").add()
            self.scopes[key].scope.name = "io.opentelemetry.shop"
        return self.scopes[key]

    def span(self, service, name, kind, parent, begin, duration, failed="", **attributes):
        """`parent` is a span, or the id of a trace."""
        span = self.scope(self.traces, "spans", service).spans.add()
        span.trace_id = parent if isinstance(parent, bytes) else parent.trace_id
        span.parent_span_id = b"" if isinstance(parent, bytes) else parent.span_id
        span.span_id = self.random.randbytes(8)
        span.name, span.kind = name, kind
        span.start_time_unix_nano, span.end_time_unix_nano = int(begin), int(begin + duration)
        span.attributes.extend(pair(key.replace("__", "."), value) for key, value in attributes.items())
        if failed:
            span.status.code, span.status.message = Status.STATUS_CODE_ERROR, failed
            event = span.events.add(name="exception", time_unix_nano=int(begin + duration))
            event.attributes.extend([pair("exception.type", "PaymentDeclined"), pair("exception.message", failed)])
        return span

    def log(self, service, span, at, severity, body):
        record = self.scope(self.logs, "logs", service).log_records.add()
        record.time_unix_nano, record.trace_id, record.span_id = int(at), span.trace_id, span.span_id
        record.severity_number, record.severity_text = {"INFO": 9, "WARN": 13, "ERROR": 17}[severity], severity
        record.body.string_value = body

    def checkout(self, begin, items, fails, slow=1):
        """A whole purchase; returns its root."""
        r, trace = self.random, self.random.randbytes(16)
        unit = MS * slow
        root = self.span("frontend", "POST /checkout", SERVER, trace, begin, 0, "card declined" if fails else "",
                         http__request__method="POST", http__route="/checkout", http__response__status_code=502 if fails else 200,
                         user__id=f"user-{r.randint(1, 400)}")  # fmt: skip
        at = begin + 2 * MS
        cart = self.span("cart", "GET /cart/{id}", SERVER, root, at, (8 + items * 3) * MS, http__route="/cart/{id}", http__response__status_code=200)
        step = at + 3 * MS
        for i in range(items):
            self.span("cart", "SELECT shop.items", CLIENT, cart, step, 2 * MS, db__system="postgresql", db__query__text="SELECT * FROM items WHERE id = $1", item=i)
            step += 3 * MS
        self.log("cart", cart, at + MS, "INFO", f"cart with {items} items")
        if items > 20:
            self.log("cart", cart, step, "WARN", f"{items} queries for one cart")
        at += (10 + items * 3) * MS
        order = self.span("checkout", "PlaceOrder", SERVER, root, at, 0, "card declined" if fails else "", rpc__system="grpc", rpc__method="PlaceOrder")
        paid = at + 4 * MS
        length = int(r.uniform(30, 60) * unit)
        call = self.span("checkout", "payment.Charge", CLIENT, order, paid, length + 4 * MS, "card declined" if fails else "", peer__service="payment")
        charge = self.span("payment", "Charge", SERVER, call, paid + 2 * MS, length, "card declined" if fails else "", payment__amount=1200 + items, payment__currency="EUR")
        self.span("payment", "fraud-check", INTERNAL, charge, paid + 6 * MS, length * 0.6, model="v3")
        self.log("payment", charge, paid + length, "ERROR" if fails else "INFO", "card declined by the bank: insufficient funds" if fails else "charged")
        end = paid + length + 6 * MS
        if not fails:
            sent = self.span("checkout", "orders publish", PRODUCER, order, end, 3 * MS, messaging__system="kafka", messaging__destination__name="orders")
            self.span("shipping", "orders process", CONSUMER, sent, end + 12 * MS, 22 * MS, messaging__system="kafka", messaging__destination__name="orders")
            self.span("redis", "DEL cart", CLIENT, order, end + 4 * MS, MS, db__system="redis")
            end += 8 * MS
        order.end_time_unix_nano, root.end_time_unix_nano = int(end + 2 * MS), int(end + 6 * MS)
        return root

    def gauge(self, service, name, points):
        metric = self.scope(self.metrics, "metrics", service).metrics.add(name=name, unit="1")
        for at, value in points:
            metric.gauge.data_points.add(time_unix_nano=int(at), as_double=value)


def telemetry(minutes=55, a_minute=3):
    """(telemetry, a trace that fails, a trace with many equal calls)"""
    made, now = Telemetry(), time.time_ns() - 2_000 * MS
    failed = repeated = None
    for minute in range(minutes, 0, -1):
        for _ in range(a_minute):
            begin = now - minute * 60_000 * MS + made.random.randint(0, 55_000) * MS
            fails = made.random.random() < (0.25 if 12 < minute < 25 else 0.02)
            root = made.checkout(begin, made.random.choice([1, 2, 3, 4]), fails, 3 if 12 < minute < 25 else 1)
            failed = root if fails or failed is None else failed
    failed = made.checkout(now - 8_000 * MS, 3, True)
    repeated = made.checkout(now - 5_000 * MS, 340, False)
    for service, base in (("frontend", 40), ("cart", 25), ("payment", 60)):
        points = [(now - i * 15_000 * MS, base + 10 * made.random.random() + (i % 40) / 4) for i in range(4 * minutes, -1, -1)]
        made.gauge(service, "process.memory.usage.ratio", points)
    return made, failed.trace_id.hex(), repeated.trace_id.hex()
