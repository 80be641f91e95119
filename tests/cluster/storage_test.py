"""Stored telemetry on a real cluster: tables before the exporter, a trace read back, a CronJob, series
behind a password."""
import os

import pytest
import requests
from cluster import condition
from harness.parts import ClickHouse, Prometheus
from harness.processes import wait_until
from harness.send import grpc_export, metrics_request, trace_request

SMALL = {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}}

# Batches for a store are larger than for other destinations, so their pods need more than SMALL.
LARGE = {"template": {"resources": {"limits": {"memory": "512Mi"}}}}
STORING = {**LARGE, "consumer": LARGE}


class HostClickHouse(ClickHouse):
    """On an address that pods can reach."""

    def __init__(self, folder, address):
        super().__init__(folder)
        self.environment["LISTEN"] = address
        self.url = f"http://{address}:{self.port}"


@pytest.fixture
def clickhouse(cluster, tmp_path):
    server = HostClickHouse(tmp_path, cluster.host).start()
    yield server
    server.stop()


def secret(namespace, password):
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "clickhouse", "namespace": namespace},
        "stringData": {"writer": password},
    }


def storage_of(pipeline, exporter):
    found = pipeline.get().get("status", {}).get("storage", [])
    return next((one for one in found if one["exporter"] == exporter), {})


def test_tables_come_first_and_a_trace_is_read_back(cluster, operator, namespace, start_pipeline, clickhouse):
    cluster.apply(secret(namespace, "not the password"))
    destination = {
        "type": "ClickHouse", "endpoint": clickhouse.url,
        "clickhouse": {"username": "writer", "passwordSecretKeyRef": {"name": "clickhouse", "key": "writer"}},
    }
    query = {"stores": {"clickhouse": {"exporter": "ch"}}, "template": SMALL}
    pipeline = start_pipeline({"query": query}, exporter={"name": "ch", "signals": ["Traces"], "destination": destination, **STORING})
    found = pipeline.wait_condition("SchemaReady", "False", 120, "MigrateFailed")
    assert "exporter ch" in found["message"] and "writer" in found["message"], found
    assert condition(pipeline.get(), "Ready")["status"] == "False"
    assert "p-ch" not in pipeline.workloads(), "it would start on tables that do not exist"

    cluster.apply(secret(namespace, "spanway"))  # Another Secret is another Job.
    pipeline.wait_condition("SchemaReady", "True", 120)
    pipeline.wait_ready(150)
    assert storage_of(pipeline, "ch")["schema"] == "Ready"

    trace_id = os.urandom(16)
    grpc_export(pipeline.endpoint(), trace_request(spans=3, trace_id=trace_id))
    address = cluster.service_address("p-query", namespace, 8081)

    def read_back():
        answer = requests.get(f"http://{address}/api/v3/traces/{trace_id.hex()}", timeout=5)
        resources = answer.json()["result"]["resourceSpans"]
        return sum(len(scope["spans"]) for one in resources for scope in one["scopeSpans"]) == 3

    wait_until(read_back, 90, "the trace through the query Service", 0.5)


def test_a_compaction_that_fails_is_reported(cluster, operator, namespace, start_pipeline):
    cluster.apply(
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": namespace},
            "stringData": {"credentials": "[default]\naws_access_key_id = a\naws_secret_access_key = b\n"},
        }
    )
    bucket = {
        "bucket": "traces", "pathStyle": True, "credentialsSecretKeyRef": {"name": "s3", "key": "credentials"},
        "compact": {"schedule": "* * * * *"},
    }
    # Nothing listens there.
    destination = {"type": "S3", "endpoint": f"http://{cluster.host}:9", "s3": bucket}
    pipeline = start_pipeline(exporter={"name": "archive", "destination": destination, **STORING})
    wait_until(lambda: cluster.get("cronjob", "p-archive-compact", namespace), 60, "the CronJob", 0.5)
    wait_until(lambda: storage_of(pipeline, "archive").get("compaction") == "Failed", 150, "the failed run", 1)
    assert "compaction failed" in condition(pipeline.get(), "Degraded")["message"]


class HostPrometheus(Prometheus):
    """On an address that pods can reach, for the user spanway with the password `right`."""

    def __init__(self, folder, address):
        super().__init__(folder)
        self.environment |= {"LISTEN": address, "USER_HASH": "$2b$04$wZQlQkqBnEI/7MeV1xFQ8OONAYnA0yKNoIixUpb/.bX/mld7.y4Ou"}
        self.url = f"http://{address}:{self.port}"
        self.write_url = f"{self.url}/api/v1/write"

    def value(self, metric):
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": metric}, auth=("spanway", "right"), timeout=5)
        found = answer.json()["data"]["result"]
        return float(found[0]["value"][1]) if found else None


@pytest.fixture
def prometheus(cluster, tmp_path):
    with HostPrometheus(tmp_path, cluster.host) as server:
        yield server


def test_series_reach_a_prometheus_behind_a_password(cluster, operator, namespace, start_pipeline, prometheus):
    def password(text):
        return {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prometheus", "namespace": namespace},
            "stringData": {"password": text},
        }

    cluster.apply(password("wrong"))
    destination = {
        "type": "PrometheusRemoteWrite", "endpoint": prometheus.write_url,
        "basicAuth": {"username": "spanway", "passwordSecretKeyRef": {"name": "prometheus", "key": "password"}},
        "prometheusRemoteWrite": {"promoteResourceAttributes": ["service.name"]},
    }
    # Retried often enough to open the circuit within seconds.
    retries = {"config": {"consumer": {"retry": {"initial": "50ms", "max": "200ms"}}}}
    pipeline = start_pipeline(
        exporter={"name": "prom", "signals": ["Metrics"], "destination": destination, "consumer": retries, "config": {"circuit_breaker": {"answers_min": 3}}}
    )
    pipeline.wait_ready(150)
    grpc_export(pipeline.endpoint(), metrics_request())
    found = pipeline.wait_condition("ExportersHealthy", "False", 120)
    assert "exporter prom" in found["message"] and "401" in found["message"], found

    cluster.apply(password("right"))  # The pods of the exporter are replaced.
    wait_until(lambda: prometheus.value('temperature_celsius{room="0",service_name="made-by-hand"}') == 20.5, 150, "the sample", 0.5)
    pipeline.wait_condition("ExportersHealthy", "True", 90)

    # Degraded with the reason and since when, an Event of it, and ready all the time.
    prometheus.stop()
    grpc_export(pipeline.endpoint(), metrics_request())
    degraded = wait_until(lambda: pipeline.get()["status"]["exporters"][0].get("degraded"), 90, "the open circuit", 0.5)
    assert degraded["since"] and degraded["reason"] and "only probes are sent by 1 of 1 pods" in degraded["message"], degraded
    found = condition(pipeline.get(), "ExportersHealthy")
    assert found["status"] == "False" and f"degraded since {degraded['since']}" in found["message"], found
    assert condition(pipeline.get(), "Ready")["status"] == "True"
    wait_until(lambda: any("only probes are sent" in e["message"] and "401" not in e["message"] for e in pipeline.events("DestinationDegraded")), 30, "its Event", 0.5)
    prometheus.start()
    wait_until(lambda: "degraded" not in pipeline.get()["status"]["exporters"][0], 120, "the closed circuit", 0.5)
    wait_until(lambda: pipeline.events("DestinationRecovered"), 30, "the Event of its end", 0.5)
