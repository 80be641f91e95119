"""Asks the server once, and prints the id of the trace. client.py PORT NAME"""
import sys
import urllib.parse
import urllib.request

import tracing
from opentelemetry import propagate
from opentelemetry.trace import SpanKind, format_trace_id


def ask(tracer, port, name):
    with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT) as span:
        url = f"http://127.0.0.1:{port}/hello?{urllib.parse.urlencode({'name': name})}"
        span.set_attributes({"http.request.method": "GET", "url.full": url})
        headers = {}
        propagate.inject(headers)
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            span.set_attribute("http.response.status_code", answer.status)
            answer.read()
        return format_trace_id(span.get_span_context().trace_id)


if __name__ == "__main__":
    TRACER, stop_tracing = tracing.start("demo-client")
    trace_id = ask(TRACER, int(sys.argv[1]), sys.argv[2])
    stop_tracing()
    print(trace_id)
