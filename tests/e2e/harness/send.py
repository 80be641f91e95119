"""Hand-made OTLP requests, sent with the official generated stubs."""
import os
import time

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


def text(key, value):
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    return KeyValue(key=key, value=AnyValue(string_value=value))


def trace_request(spans=10, trace_id=None, service="made-by-hand"):
    """One resource, one scope, `spans` spans of one trace."""
    request = trace_service_pb2.ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(text("service.name", service))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "e2e"
    trace_id = trace_id or os.urandom(16)
    now = time.time_ns()
    for i in range(spans):
        span = scope_spans.spans.add()
        span.trace_id, span.span_id = trace_id, os.urandom(8)
        span.name, span.kind = f"span {i}", 1 + i % 5
        span.start_time_unix_nano, span.end_time_unix_nano = now, now + 1_000_000 * (i + 1)
        span.attributes.append(text("index", str(i)))
    return request


def metrics_request():
    """Every type of metric, with exemplars and flags."""
    request = metrics_service_pb2.ExportMetricsServiceRequest()
    outer = request.resource_metrics.add(schema_url="https://example.org/resource")
    outer.resource.attributes.append(text("service.name", "made-by-hand"))
    inner = outer.scope_metrics.add(schema_url="https://example.org/scope")
    inner.scope.name, inner.scope.version = "e2e", "1"
    now = time.time_ns()
    gauge = inner.metrics.add(name="temperature", unit="Cel", description="How warm")
    for i in range(3):
        point = gauge.gauge.data_points.add(time_unix_nano=now, as_double=20.5 + i)
        point.attributes.append(text("room", str(i)))
        point.exemplars.add(time_unix_nano=now, as_int=7, trace_id=os.urandom(16), span_id=os.urandom(8))
    total = inner.metrics.add(name="requests", unit="1").sum
    total.is_monotonic, total.aggregation_temporality = True, 2
    total.data_points.add(time_unix_nano=now, start_time_unix_nano=now - 10**9, as_int=2**60)
    histogram = inner.metrics.add(name="latency", unit="s").histogram
    histogram.aggregation_temporality = 1
    histogram.data_points.add(time_unix_nano=now, count=6, sum=3.5, bucket_counts=[1, 2, 3], explicit_bounds=[0.1, 1.0], min=0.01, max=2.0)
    exponential = inner.metrics.add(name="size", unit="By").exponential_histogram
    exponential.aggregation_temporality = 2
    point = exponential.data_points.add(time_unix_nano=now, count=3, sum=7, scale=4, zero_count=1)
    point.positive.offset, point.negative.offset = 2, -3
    point.positive.bucket_counts.extend([1, 0, 1])
    summary = inner.metrics.add(name="legacy").summary.data_points.add(time_unix_nano=now, count=2, sum=4)
    summary.quantile_values.add(quantile=0.99, value=3)
    inner.metrics.add(name="nothing yet").gauge.SetInParent()
    return request


def logs_request(records=20):
    request = logs_service_pb2.ExportLogsServiceRequest()
    outer = request.resource_logs.add()
    outer.resource.attributes.append(text("service.name", "made-by-hand"))
    outer.resource.dropped_attributes_count = 3
    inner = outer.scope_logs.add()
    for i in range(records):
        record = inner.log_records.add(time_unix_nano=time.time_ns(), severity_number=1 + i % 24, severity_text="INFO")
        if i % 2:
            record.trace_id, record.span_id, record.flags = os.urandom(16), os.urandom(8), 1
        if i % 3 == 0:
            pair = record.body.kvlist_value.values.add(key="nested")
            pair.value.array_value.values.add(int_value=-i)
            pair.value.array_value.values.add(bytes_value=os.urandom(5))
        else:
            record.body.string_value = f"line {i}"
    return request


_CALLS = {
    trace_service_pb2.ExportTraceServiceRequest: trace_service_pb2_grpc.TraceServiceStub,
    metrics_service_pb2.ExportMetricsServiceRequest: metrics_service_pb2_grpc.MetricsServiceStub,
    logs_service_pb2.ExportLogsServiceRequest: logs_service_pb2_grpc.LogsServiceStub,
}


def grpc_export(endpoint, request, metadata=(), timeout=30, credentials=None, options=()):
    """One unary Export; raises grpc.RpcError when refused."""
    channel = grpc.secure_channel(endpoint, credentials, options) if credentials else grpc.insecure_channel(endpoint, options)
    with channel:
        return _CALLS[type(request)](channel).Export(request, timeout=timeout, metadata=metadata)
