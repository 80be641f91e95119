"""Tracing of one application: OTLP/gRPC to OTEL_EXPORTER_OTLP_ENDPOINT, default 127.0.0.1:4317."""
import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def start(service):
    """The tracer, and the function that sends what has not been sent yet."""
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    # The demo waits for its trace: sent after 0.2 s, not after the default of 5 s.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True), schedule_delay_millis=200))
    trace.set_tracer_provider(provider)
    return provider.get_tracer("spanway.demo"), provider.shutdown
