"""Traces made with the official Python SDK, and their expected shape."""
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

RESOURCE = {"service.name": "py-shop", "service.version": "7", "host.cores": 4, "ratio": 0.5, "ready": True, "zones": ["a", "b"]}


class Recorder(SimpleSpanProcessor):
    """Keeps the finished spans besides exporting them."""

    def __init__(self, exporter):
        super().__init__(exporter)
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)
        super().on_end(span)


def rich_trace(exporter):
    """Exports one trace that uses every field of a span. Returns its id and the SDK's spans."""
    recorder = Recorder(exporter)
    provider = TracerProvider(resource=Resource(RESOURCE, schema_url="https://opentelemetry.io/schemas/1.21.0"))
    provider.add_span_processor(recorder)
    tracer = provider.get_tracer("py-scope", "2.0", attributes={"scope.key": "scope value"})
    linked = SpanContext(0x0102030405060708090A0B0C0D0E0F10, 0x1112131415161718, True, TraceFlags(1))
    with tracer.start_as_current_span(
        "POST /order", kind=SpanKind.SERVER, attributes={"http.route": "/order", "http.response.status_code": 201}
    ) as parent:
        parent.add_event("accepted", {"queue": "orders", "depth": 3})
        with tracer.start_as_current_span(
            "INSERT orders",
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "rows": 1, "price": 9.75, "paid": False, "ids": [1, 2, 3], "emoji": "☃"},
            links=[Link(linked, {"link.key": "link value"})],
        ) as child:
            child.add_event("exception", {"exception.type": "Deadlock", "exception.message": "again"})
            child.set_status(Status(StatusCode.ERROR, "deadlock detected"))
        with tracer.start_as_current_span("send order", kind=SpanKind.PRODUCER):
            pass
        with tracer.start_as_current_span("internal"):
            trace.get_current_span().set_status(Status(StatusCode.OK))
    provider.shutdown()
    return f"{parent.get_span_context().trace_id:032x}", recorder.spans


def any_value(value):
    """An OTLP/JSON AnyValue as a Python value that compares equal to the SDK's."""
    kind, content = next(iter(value.items()))
    if kind == "arrayValue":
        return tuple(any_value(item) for item in content.get("values", []))
    if kind == "intValue":
        return int(content)
    if kind == "doubleValue":
        return float(content)
    return content


def attributes_of(pairs):
    """Without the remark that Jaeger writes into its own copy when a trace was requested that was
    not complete yet."""
    return {pair["key"]: any_value(pair["value"]) for pair in pairs or [] if pair["key"] != "@jaeger@warnings"}


def sdk_attributes(attributes):
    return {key: tuple(v) if isinstance(v, (list, tuple)) else v for key, v in (attributes or {}).items()}


def as_otlp(span):
    """An SDK span in the flat form that `flatten` makes of OTLP/JSON."""
    return {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016x}",
        "parentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
        "name": span.name,
        "kind": span.kind.value + 1,
        "start": span.start_time,
        "end": span.end_time,
        "attributes": sdk_attributes(span.attributes),
        "events": [(e.name, e.timestamp, sdk_attributes(e.attributes)) for e in span.events],
        "links": [(f"{l.context.trace_id:032x}", f"{l.context.span_id:016x}", sdk_attributes(l.attributes)) for l in span.links],
        "status": (span.status.status_code.value, span.status.description or ""),
        "resource": sdk_attributes(span.resource.attributes),
        "scope": (span.instrumentation_scope.name, span.instrumentation_scope.version, sdk_attributes(span.instrumentation_scope.attributes)),
    }


KINDS = {"SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5}


def flatten(resource_spans):
    """OTLP/JSON resource spans -> {span id: flat span}."""
    found = {}
    for resource in resource_spans:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                status = span.get("status", {})
                kind = span.get("kind", 0)
                found[span["spanId"]] = {
                    "traceId": span["traceId"],
                    "spanId": span["spanId"],
                    "parentSpanId": span.get("parentSpanId", ""),
                    "name": span["name"],
                    "kind": KINDS.get(kind, kind),
                    "start": int(span["startTimeUnixNano"]),
                    "end": int(span["endTimeUnixNano"]),
                    "attributes": attributes_of(span.get("attributes")),
                    "events": [(e["name"], int(e["timeUnixNano"]), attributes_of(e.get("attributes"))) for e in span.get("events", [])],
                    "links": [(l["traceId"], l["spanId"], attributes_of(l.get("attributes"))) for l in span.get("links", [])],
                    "status": (status.get("code", 0), status.get("message", "")),
                    "resource": attributes_of(resource.get("resource", {}).get("attributes")),
                    "scope": (
                        scope.get("scope", {}).get("name", ""),
                        scope.get("scope", {}).get("version", ""),
                        attributes_of(scope.get("scope", {}).get("attributes")),
                    ),
                }
    return found
