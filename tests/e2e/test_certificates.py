"""Certificates that change while the services run: garbage is reported and every client is served on; renewed ones need no restart."""
import shutil
import ssl
import subprocess

import grpc
import pytest
from harness.certificates import Authority
from harness.parts import Kafka
from harness.pipeline import Pipeline, running
from harness.ports import free_port
from harness.processes import Service, wait_until
from harness.send import grpc_export, trace_request

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


def test_credentials_that_cannot_be_used_are_reported_until_they_can(tmp_path):
    token = tmp_path / "token"
    token.write_text("hidden-value\n")
    config = SERVICES["ingress"][1](free_port())
    config["auth"] = {"mode": "bearer", "tokens": [{"token_file": str(token)}]}
    with Service("ingress", "spanway-ingress", config, tmp_path).start().wait_listening() as service:

        def errors():
            return service.status()["credential_errors"]

        assert errors() == []
        for unusable in ("", "hidden-value\nhidden-value\n"):
            token.write_text(unusable)
            reported = wait_until(errors, 30, "a report", 0.2)
            assert len(reported) == 1 and reported[0].startswith("auth.tokens[0].token_file"), reported
            assert "hidden-value" not in reported[0]
            token.write_text("hidden-value\n")
            wait_until(lambda: not errors(), 30, "the end of the report", 0.2)
        assert service.stop() == 0


def test_renewed_certificates_of_kafka_need_no_restart(receiver, tmp_path):
    """The brokers get a certificate of a new CA and trust its clients only: said by all, and over once the files are there."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    kafka = Kafka(folder, secure=True).start()
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("ca.crt", "client.crt", "client.key"):
        shutil.copy(kafka.tls / name, mine / name)
    section = {
        "brokers": [f"localhost:{kafka.port + 2}"],
        "tls": {"enabled": True, "ca_file": str(mine / "ca.crt"), "certificate_file": str(mine / "client.crt"), "key_file": str(mine / "client.key")},
    }
    destination = {"receiver": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}
    try:
        with running(Pipeline(tmp_path, kafka.brokers, destination, kafka=section)) as pipeline:
            grpc_export(pipeline.endpoint, trace_request())
            wait_until(lambda: len(receiver.items()) == 10, 30, "spans through the first certificates")
            authority = Authority(tmp_path / "new")
            certificate, key = authority.issue("client")
            store_of(authority, kafka.tls / "server.p12")
            shutil.copy(authority.ca, kafka.tls / "ca.crt")
            kafka.stop()
            kafka.start()

            def refusal():
                with pytest.raises(grpc.RpcError) as refused:
                    grpc_export(pipeline.endpoint, trace_request(), timeout=15)
                return refused.value.details()

            wait_until(lambda: "certificate verify failed" in refusal(), 60, "the cause in the client's answer")
            for service in (pipeline.bridge, *pipeline.consumers.values()):
                wait_until(lambda: "certificate verify failed" in service.status()["last_error"], 60, f"the cause in the status of {service.name}")
            for source, name in ((key, "client.key"), (certificate, "client.crt"), (authority.ca, "ca.crt")):
                shutil.copy(source, mine / name)

            def accepted():
                try:
                    return grpc_export(pipeline.endpoint, trace_request(), timeout=15) is not None
                except grpc.RpcError:
                    return False

            wait_until(accepted, 60, "OK through the renewed certificates")
            wait_until(lambda: len(receiver.items()) >= 20, 60, "spans through the renewed certificates")
    finally:
        kafka.stop()


def store_of(authority, path):
    """The broker's key store, with a new certificate of `authority`."""
    certificate, key = authority.issue("localhost")
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key, "-certfile", authority.ca, "-out", path, "-passout", "pass:changeit"],
        check=True,
    )
