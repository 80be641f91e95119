"""Tempo's API of spanway-query over each of its stores, by the requests that Grafana's Tempo data source sends.
Grafana and Tempo themselves are under the AGPL and no parts of this test: shapes and names are those of Tempo's
documentation and protobuf."""
import os
import time

import pytest
import requests
from harness.processes import wait_until
from harness.send import grpc_export, text, trace_request
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData
from test_query import Stack

PROTOBUF = {"accept": "application/protobuf"}


def fields_of(message):
    """(field, payload) of each length-delimited field of a protobuf message."""

    def varint(at):
        value, shift = 0, 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    at = 0
    while at < len(message):
        tag, at = varint(at)
        assert tag & 7 == 2
        size, at = varint(at)
        yield tag >> 3, message[at : at + size]
        at += size


class Tempo(Stack):
    """spanway-query as a Tempo data source over a store, with the spans of three traces."""

    def __init__(self, folder, kind):
        super().__init__(folder, kind)
        self.url = f"http://127.0.0.1:{self.port}"
        self.begin = int(time.time())

    def send(self):
        """A trace of two services, one of them failing; two smaller ones."""
        self.shop_id = os.urandom(16)
        shop = trace_request(spans=4, trace_id=self.shop_id, service="shop")
        spans = shop.resource_spans[0].scope_spans[0].spans
        spans[0].name, spans[0].parent_span_id = "checkout", b""
        for span in spans[1:]:
            span.parent_span_id = spans[0].span_id
        spans[3].status.code = Status.STATUS_CODE_ERROR
        spans[3].attributes.append(KeyValue(key="http.response.status_code", value=AnyValue(int_value=503)))
        spans[3].attributes.append(KeyValue(key="codes", value=AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=7), AnyValue(int_value=9)]))))
        spans[3].events.add(name="exception", time_unix_nano=spans[3].start_time_unix_nano, attributes=[text("exception.type", "Broken")])
        payment = trace_request(spans=2, trace_id=self.shop_id, service="payment")
        for span in payment.resource_spans[0].scope_spans[0].spans:
            span.parent_span_id = spans[3].span_id
        shop.resource_spans.append(payment.resource_spans[0])
        self.sent = [shop, trace_request(spans=2, service="cart"), trace_request(spans=3, service="cart")]
        for request in self.sent:
            grpc_export(f"127.0.0.1:{self.otlp_port}", request)

    def get(self, path, headers=None, **parameters):
        return requests.get(self.url + path, params=parameters, headers=headers, timeout=20)

    def search(self, query, **parameters):
        answer = self.get("/tempo/api/search", q=query, start=self.begin - 60, end=self.begin + 600, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["traces"]


@pytest.fixture(scope="module", params=["clickhouse", "s3", "memory"])
def tempo(tmp_path_factory, request):
    made = Tempo(tmp_path_factory.mktemp("tempo"), request.param)
    made.send()
    wait_until(lambda: len(made.search("{}")) == 3, 60, "the spans that were sent")
    yield made
    made.stop()


def test_the_data_source_is_found(tempo):
    for prefix in ("", "/tempo"):
        echo = tempo.get(prefix + "/api/echo")
        assert (echo.status_code, echo.text) == (200, "echo")
        assert tempo.get(prefix + "/api/status/buildinfo").json()["version"].startswith("2.")


def test_a_trace_is_read_by_its_id(tempo):
    trace_id = tempo.shop_id.hex()
    sent_ids = {span.span_id for rs in tempo.sent[0].resource_spans for ss in rs.scope_spans for span in ss.spans}

    def ids(data):
        return {span.span_id for rs in data.resource_spans for ss in rs.scope_spans for span in ss.spans}

    v1 = tempo.get(f"/api/traces/{trace_id}", PROTOBUF)
    assert v1.headers["content-type"] == "application/protobuf"
    assert ids(TracesData.FromString(v1.content)) == sent_ids
    v2 = tempo.get(f"/api/v2/traces/{trace_id}", PROTOBUF)
    assert ids(TracesData.FromString(b"".join(part for field, part in fields_of(v2.content) if field == 1))) == sent_ids
    as_json = tempo.get(f"/tempo/api/v2/traces/{trace_id}").json()
    assert sum(len(ss["spans"]) for rs in as_json["trace"]["resourceSpans"] for ss in rs["scopeSpans"]) == len(sent_ids)
    assert "batches" in tempo.get(f"/tempo/api/traces/{trace_id}").json()
    # Jaeger's path is the same; it answers without that header.
    assert "data" in tempo.get(f"/api/traces/{trace_id}").json()


def test_a_trace_that_is_missing_or_none(tempo):
    missing = tempo.get(f"/api/v2/traces/{'ab' * 16}", PROTOBUF)
    assert (missing.status_code, missing.text) == (404, "trace not found")
    none = tempo.get("/tempo/api/traces/xyz")
    assert none.status_code == 400 and "invalid character 'x' at position 1" in none.text


def test_traceql_finds_traces(tempo):
    (trace,) = tempo.search('{ resource.service.name = "shop" && status = error } >> { resource.service.name = "payment" }', limit=20, spss=1)
    assert int(trace["traceID"], 16) == int(tempo.shop_id.hex(), 16)
    assert (trace["rootServiceName"], trace["rootTraceName"]) == ("shop", "checkout")
    assert trace["serviceStats"] == {"shop": {"spanCount": 4, "errorCount": 1}, "payment": {"spanCount": 2}}
    (found,) = trace["spanSets"]
    assert found["matched"] == 2 and len(found["spans"]) == 1
    assert {"key": "service.name", "value": {"stringValue": "payment"}} in found["spans"][0]["attributes"]
    assert trace["spanSet"] == found
    assert len(tempo.search('{ resource.service.name = "cart" }')) == 2
    assert len(tempo.search('{ span.http.response.status_code >= 500 && event.exception.type = "Broken" }')) == 1


def test_elements_of_lists_are_found(tempo):
    assert len(tempo.search("{ span.codes = 9 }")) == 1
    assert tempo.search("{ span.codes = 8 }") == []


def test_pipelines_group_and_count(tempo):
    (trace,) = tempo.search("{} | by(resource.service.name) | count() > 3")
    (found,) = trace["spanSets"]
    assert found["matched"] == 4
    assert found["attributes"] == [
        {"key": "by(resource.service.name)", "value": {"stringValue": "shop"}},
        {"key": "count()", "value": {"intValue": "4"}},
    ]


def test_search_by_tags(tempo):
    found = tempo.get("/api/search", tags='service.name=sho name="checkout"', minDuration="1ms", limit=5).json()["traces"]
    assert len(found) == 1


def test_errors_are_texts_with_the_position(tempo):
    wrong = tempo.get("/api/search", q="{ .a == 1 }")
    assert wrong.status_code == 400 and wrong.headers["content-type"].startswith("text/plain")
    assert wrong.text == "invalid TraceQL query: parse error at line 1, col 7: syntax error: unexpected ="
    unsupported = tempo.get("/api/search", q="{ parent.a = 1 }")
    assert unsupported.status_code == 400 and "col 3: parent not yet supported" in unsupported.text
    assert tempo.get("/api/search", q="{} | rate()").status_code == 400
    no_metrics = tempo.get("/api/metrics/query_range", q="{}")
    assert no_metrics.status_code == 400 and no_metrics.text.startswith("not a metrics query")


def test_tags_and_their_values(tempo):
    scopes = {one["name"]: one["tags"] for one in tempo.get("/api/v2/search/tags", limit=5000).json()["scopes"]}
    assert "service.name" in scopes["resource"] and {"index", "codes"} <= set(scopes["span"])
    assert "name" in scopes["intrinsic"]
    assert "index" in tempo.get("/api/search/tags", scope="span").json()["tagNames"]
    assert tempo.get("/api/v2/search/tags", scope="nope").status_code == 400

    def values(tag, **parameters):
        return sorted(one["value"] for one in tempo.get(f"/api/v2/search/tag/{tag}/values", **parameters).json()["tagValues"])

    assert values("resource.service.name") == ["cart", "payment", "shop"]
    assert values(".service.name", q="{ status = error && name = }") == ["shop"]
    assert values("status") == ["error", "ok", "unset"]
    assert values("rootName", q='{ resource.service.name = "shop" }') == ["checkout"]
    assert values("event:name") == ["exception"]
    assert sorted(tempo.get("/api/search/tag/service.name/values").json()["tagValues"]) == ["cart", "payment", "shop"]
    assert tempo.get("/api/v2/search/tag/nope/values").status_code == 400


def test_metrics_over_a_range_and_at_once(tempo):
    ends = {"start": tempo.begin - 60, "end": tempo.begin + 120}
    answer = tempo.get("/api/metrics/query_range", q="{} | count_over_time() by (resource.service.name)", step="30s", **ends).json()
    counted = {
        series["labels"][0]["value"]["stringValue"]: sum(sample["value"] for sample in series["samples"]) for series in answer["series"]
    }
    assert counted == {"cart": 5, "payment": 2, "shop": 4}
    assert answer["metrics"]["completedJobs"] == answer["metrics"]["totalJobs"] == 1
    exemplars = [one for series in answer["series"] for one in series.get("exemplars", [])]
    assert any(label["key"] == "trace:id" for label in exemplars[0]["labels"])
    instant = tempo.get(
        "/api/metrics/query", q="({status=error} | count_over_time()) / ({} | count_over_time())", **ends
    ).json()
    assert instant["series"][0]["value"] == pytest.approx(1 / 11)
    quantile = tempo.get("/api/metrics/query_range", q="{} | quantile_over_time(duration, .5, .9)", step="1m", **ends).json()
    assert sorted(series["labels"][0]["value"]["doubleValue"] for series in quantile["series"]) == [0.5, 0.9]
