"""`spanway`: several services in one process, fused or not."""
import subprocess

import pytest
from harness.otlp_receiver import items_of
from harness.ports import free_port
from harness.processes import BIN, Service, wait_until
from harness.send import grpc_export, trace_request


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "by OTLP"])
def test_all_services_in_one_process(kafka, receiver, tmp_path, fused):
    port, bridge_port, exporter_port = free_port(), free_port(), free_port()
    topic = f"otel.allinone.{fused}"
    config = {
        "run": ["ingress", "bridge", "exporter"],
        "fused": fused,
        "ingress": {"otlp": {"grpc": {"port": port}, "http": {"enabled": False}}, "next": {"endpoint": f"127.0.0.1:{bridge_port}"}},
        "bridge": {
            "kafka": {"brokers": [kafka.brokers], "topics": {"traces": topic, "metrics": topic + ".m", "logs": topic + ".l"}},
            "create_topics": True,
            "otlp": {"grpc": {"port": bridge_port}},
            "consumer": {"destination": f"allinone-{fused}", "signals": ["traces"], "start_from": "earliest"},
            "destination": {"endpoint": f"127.0.0.1:{exporter_port}"},
        },
        "exporter": {
            "otlp": {"grpc": {"port": exporter_port}},
            "destination": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}},
        },
    }
    with Service("spanway", "spanway", config, tmp_path).start() as service:
        service.wait_ready(40)
        sent = [trace_request(spans=9) for _ in range(10)]
        for request in sent:
            grpc_export(f"127.0.0.1:{port}", request)
        wait_until(lambda: len(receiver.items()) >= 90, 40, "90 spans")
        assert sorted(receiver.items()) == sorted(item for request in sent for item in items_of(request))
        assert set(service.status()) >= {"ingress", "bridge", "exporter"}
        assert service.metric("spanway_bugs_total") == 0
        assert service.stop() == 0, service.log()[-2000:]


@pytest.mark.parametrize("binary", ["spanway-ingress", "spanway-kafka-bridge", "spanway-exporter", "spanway"])
def test_every_service_explains_itself(binary, tmp_path):
    def run(*arguments):
        return subprocess.run([BIN / binary, *arguments], capture_output=True, text=True, timeout=20)

    assert binary in run("--version").stdout
    assert "--check-config" in run("--help").stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text("admin:\n  prot: 8080\n")
    checked = run("--config", bad, "--check-config")
    assert checked.returncode == 2
    assert f"{bad}:2:3" in checked.stdout + checked.stderr and "port" in checked.stdout + checked.stderr
    printed = run("--print-config")
    assert printed.returncode == 0 and "admin:" in printed.stdout
