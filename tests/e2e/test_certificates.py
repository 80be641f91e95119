"""Certificates of listeners that become garbage while the service runs: reported, and every client is served on."""
import ssl

import pytest
from harness.certificates import Authority
from harness.ports import free_port
from harness.processes import Service, wait_until

# Each service of ours that takes OTLP, with what it needs to start; nothing behind it must answer.
SERVICES = {
    "ingress": ("spanway-ingress", lambda port: {"otlp": {"grpc": {"port": port}, "http": {"enabled": False}}, "next": {"endpoint": "127.0.0.1:1"}}),
    "bridge": ("spanway-kafka-bridge", lambda port: {"mode": "produce", "otlp": {"grpc": {"port": port}}, "kafka": {"brokers": ["127.0.0.1:1"]}}),
    "exporter": ("spanway-exporter", lambda port: {"otlp": {"grpc": {"port": port}}, "destination": {"type": "debug"}}),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_garbage_certificate_is_reported_and_the_old_one_stays_in_use(name, tmp_path):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("rotating")
    binary, config_for = SERVICES[name]
    port = free_port()
    config = config_for(port)
    config["otlp"]["tls"] = {"certificate_file": str(certificate), "key_file": str(key)}
    with Service(name, binary, config, tmp_path).start().wait_listening() as service:

        def in_use():
            return ssl.get_server_certificate(("127.0.0.1", port))

        before = wait_until(in_use, 20, "a certificate")
        assert service.status()["certificate_reload_error"] == ""
        assert service.status()["certificate_expires_in_seconds"] > 0
        certificate.write_text("garbage")
        error = wait_until(lambda: service.status()["certificate_reload_error"], 30, "a report", 0.2)
        assert str(certificate) in error
        assert in_use() == before
        authority.issue("rotating")
        wait_until(lambda: service.status()["certificate_reload_error"] == "", 30, "the end of the report", 0.2)
        assert in_use() != before
        assert service.stop() == 0
