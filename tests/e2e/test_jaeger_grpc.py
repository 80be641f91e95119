"""spanway-query's gRPC API v3 beside that of a real Jaeger that got the same spans."""
import os
import time

import grpc
import pytest
from harness.jaeger_api import JaegerApi
from harness.send import grpc_export
from test_query import Stack, full_trace, grpc_spans

OF_TRACE = 7


@pytest.fixture(scope="module")
def both(tmp_path_factory, jaeger):
    """Ours and theirs, with two traces of two services of their own."""
    stack = Stack(tmp_path_factory.mktemp("jaeger"), "memory")
    run, traces = os.urandom(4).hex(), []
    for number in range(2):
        request, trace_id = full_trace()
        for resource_spans in request.resource_spans:
            service = next(a for a in resource_spans.resource.attributes if a.key == "service.name")
            service.value.string_value += f"-{run}"
        for resource_spans in request.resource_spans:
            for span in resource_spans.scope_spans[0].spans:
                span.name += f" {number}"
        grpc_export(f"127.0.0.1:{stack.otlp_port}", request)
        grpc_export(jaeger.endpoint, request)
        jaeger.trace(trace_id, OF_TRACE)
        traces.append((trace_id, request.resource_spans[0].scope_spans[0].spans[0].name))
    with JaegerApi(stack.grpc_port) as ours, JaegerApi(jaeger.grpc_port) as theirs:
        yield [ours, theirs], run, traces
    stack.stop()


def answers(both, method, **request):
    """From both: the messages, or the code of the error."""
    for api in both[0]:
        try:
            yield api.call(method, **request)
        except grpc.RpcError as error:
            yield error.code()


def spans(both, method, **request):
    return [answer if isinstance(answer, grpc.StatusCode) else grpc_spans(answer) for answer in answers(both, method, **request)]


def window():
    now = int(time.time())
    return {"start_time_min": {"seconds": now - 3600}, "start_time_max": {"seconds": now + 3600}, "raw_traces": True}


def test_traces_are_those_of_a_jaeger(both):
    for trace_id, _ in both[2]:
        ours, theirs = spans(both, "GetTrace", trace_id=trace_id, raw_traces=True)
        assert len(ours) == OF_TRACE and ours == theirs


def test_searches_are_those_of_a_jaeger(both):
    _, run, traces = both
    found = []
    for conditions in (
        {},
        {"service_name": "unknown"},
        {"operation_name": traces[1][1]},
        {"operation_name": "none"},
        {"attributes": {"http.response.status_code": "503"}},
        {"attributes": {"http.response.status_code": "504"}},
        {"attributes": {"ratio": "0.25", "flag": "true", "host.name": "a-host"}},
        {"attributes": {"error": "true"}},
        {"duration_min": {"seconds": 3600}},
        {"duration_max": {"seconds": 3600}},
        {"duration_min": {"nanos": 1}, "duration_max": {"nanos": 2}},
    ):
        query = {"service_name": f"shop-{run}", "search_depth": 10, **window(), **conditions}
        ours, theirs = spans(both, "FindTraces", query=query)
        assert ours == theirs, conditions
        found.append(len(ours))
    assert {0, OF_TRACE, 2 * OF_TRACE} == set(found), found


def test_names_are_those_of_a_jaeger(both):
    _, run, _ = both
    names = [{name for name in answer[0].services if name.endswith(run)} for answer in answers(both, "GetServices")]
    assert names[0] == names[1] == {f"shop-{run}", f"payment-{run}"}
    for service in (f"shop-{run}", f"payment-{run}", "unknown"):
        for kind in ("", "server", "client", "odd"):
            ours, theirs = answers(both, "GetOperations", service=service, span_kind=kind)
            ours, theirs = (
                a if isinstance(a, grpc.StatusCode) else sorted((one.name, one.span_kind) for one in a[0].operations) for a in (ours, theirs)
            )
            assert ours == theirs, (service, kind)
    everything, nothing = answers(both, "GetOperations")
    assert not nothing[0].operations and len(everything[0].operations) >= 8, "ours needs no service"


def test_refusals_are_those_of_a_jaeger(both):
    now = window()
    assert list(answers(both, "GetTrace", trace_id="1" * 32)) == [[], []]
    assert list(answers(both, "FindTraces")) == [grpc.StatusCode.INVALID_ARGUMENT] * 2
    # Jaeger gives no code of its own to these.
    for method, request in (
        ("GetTrace", {"trace_id": "zz"}),
        ("GetTrace", {}),
        ("FindTraces", {"query": {"service_name": "a"}}),
        ("FindTraces", {"query": {"service_name": "a", "start_time_min": now["start_time_min"]}}),
    ):
        assert list(answers(both, method, **request)) == [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN], (method, request)
    # Jaeger 2.13 does not have them.
    ours, theirs = answers(both, "FindTraceSummaries", query={"service_name": f"shop-{both[1]}", **now})
    assert theirs == grpc.StatusCode.UNIMPLEMENTED
    assert {(one.trace_id, one.span_count) for one in ours[0].summaries} == {(trace_id, OF_TRACE) for trace_id, _ in both[2]}
