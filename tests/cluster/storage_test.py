"""What exporters store, on a real cluster: tables before the exporter, a trace read back, a CronJob."""
import os

import pytest
import requests
from cluster import condition
from harness.parts import ClickHouse
from harness.processes import wait_until
from harness.send import grpc_export, trace_request

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
