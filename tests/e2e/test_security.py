"""TLS, mutual TLS, tokens and SASL, each from end to end."""
import ssl
import urllib.error

import grpc
import pytest
import requests
from harness.certificates import Authority
from harness.otlp_receiver import OtlpReceiver, items_of
from harness.pipeline import Pipeline, running
from harness.processes import wait_until
from harness.send import grpc_export, trace_request
from harness.tenant_backend import TenantBackend, span_names


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def to(receiver):
    return {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}


def credentials(authority, client=None):
    certificate, key = client if client else (None, None)
    return grpc.ssl_channel_credentials(
        authority.ca.read_bytes(), key.read_bytes() if key else None, certificate.read_bytes() if certificate else None
    )


def local(endpoint):
    """The certificate names localhost."""
    return endpoint.replace("127.0.0.1", "localhost")


def test_tls_and_mutual_tls_at_the_ingress(kafka, receiver, authority, tmp_path):
    certificate, key = authority.issue("ingress")
    client = authority.issue("tenant-a")
    tls = {"certificate_file": str(certificate), "key_file": str(key), "client_ca_file": str(authority.ca)}
    change = {"otlp": {"tls": tls}, "tenant": {"from": "certificate", "required": True}}
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver), ingress=change)) as pipeline:
        request = trace_request()
        grpc_export(local(pipeline.endpoint), request, credentials=credentials(authority, client))
        answer = requests.post(
            local(pipeline.http_endpoint).replace("http:", "https:") + "/v1/traces", request.SerializeToString(),
            headers={"content-type": "application/x-protobuf"}, verify=authority.ca, cert=client, timeout=20,
        )
        assert answer.status_code == 200
        wait_until(lambda: len(receiver.items()) >= 20, 30, "spans over mutual TLS")
        assert {metadata.get("spanway-tenant") for _, metadata in receiver.requests} <= {"tenant-a", None}
        with pytest.raises(grpc.RpcError):
            grpc_export(local(pipeline.endpoint), request, credentials=credentials(authority), timeout=5)
        stranger = Authority(tmp_path / "stranger", "stranger").issue("tenant-a")
        with pytest.raises(grpc.RpcError):
            grpc_export(local(pipeline.endpoint), request, credentials=credentials(authority, stranger), timeout=5)
        with pytest.raises(grpc.RpcError):
            grpc_export(pipeline.endpoint, request, timeout=5)


def test_certificates_are_reloaded_without_a_restart(kafka, authority, tmp_path):
    certificate, key = authority.issue("rotating")
    change = {"otlp": {"tls": {"certificate_file": str(certificate), "key_file": str(key)}}}
    with running(Pipeline(tmp_path, kafka.brokers, {}, ingress=change)) as pipeline:

        def serial():
            return ssl.get_server_certificate(("127.0.0.1", pipeline.grpc_port))

        before = serial()
        authority.issue("rotating")
        wait_until(lambda: serial() != before, 30, "the new certificate", 0.5)
        grpc_export(local(pipeline.endpoint), trace_request(), credentials=credentials(authority))
        good = serial()
        key.write_text("not a key")
        with pytest.raises(AssertionError):
            wait_until(lambda: serial() != good, 12, "a broken key must not be taken")


def test_bearer_tokens_name_the_tenant_and_fail_closed(kafka, receiver, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text("from-a-file\n")
    change = {
        "auth": {"mode": "bearer", "tokens": [{"token": "secret-of-acme", "tenant": "acme"}, {"token_file": str(token_file), "tenant": "umbrella"}]},
        "tenant": {"from": "token"},
    }
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver), ingress=change)) as pipeline:
        request = trace_request()
        grpc_export(pipeline.endpoint, request, metadata=(("authorization", "Bearer secret-of-acme"),))
        answer = requests.post(
            pipeline.http_endpoint + "/v1/traces", request.SerializeToString(),
            headers={"content-type": "application/x-protobuf", "authorization": "bearer from-a-file"}, timeout=20,
        )
        assert answer.status_code == 200
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", "Basic secret-of-acme"),), (("authorization", "Bearer"),)):
            with pytest.raises(grpc.RpcError) as refused:
                grpc_export(pipeline.endpoint, request, metadata=metadata)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        answer = requests.post(pipeline.http_endpoint + "/v1/traces", b"", headers={"content-type": "application/x-protobuf"}, timeout=20)
        assert answer.status_code == 401
        wait_until(lambda: len(receiver.items()) >= 20, 30, "the spans of both tenants")
        for service in pipeline.services():
            assert "secret-of-acme" not in service.log() + service.admin("/configz") + service.admin("/statusz") + service.admin("/metrics")


def test_basic_auth_over_http(kafka, tmp_path):
    change = {"auth": {"mode": "basic", "users": [{"username": "shop", "password": "pass word"}]}}
    with running(Pipeline(tmp_path, kafka.brokers, {}, ingress=change)) as pipeline:
        url, headers = pipeline.http_endpoint + "/v1/traces", {"content-type": "application/x-protobuf"}
        body = trace_request().SerializeToString()
        assert requests.post(url, body, headers=headers, auth=("shop", "pass word"), timeout=20).status_code == 200
        assert requests.post(url, body, headers=headers, auth=("shop", "wrong"), timeout=20).status_code == 401


@pytest.mark.parametrize("mechanism", ["scram_sha_512", "scram_sha_256", "plain"])
def test_sasl_over_tls_to_kafka(secure_kafka, receiver, tmp_path, mechanism):
    user, password = ("app", "app-password") if mechanism == "plain" else ("scram", "scram-password")
    section = {
        "brokers": [f"127.0.0.1:{secure_kafka.port + 1}"],
        "tls": {"enabled": True, "ca_file": str(secure_kafka.tls / "ca.crt")},
        "sasl": {"mechanism": mechanism, "username": user, "password": "${env:KAFKA_PASSWORD}"},
    }
    pipeline = Pipeline(tmp_path, secure_kafka.brokers, to(receiver), kafka=section)
    for service in pipeline.services():
        service.environment["KAFKA_PASSWORD"] = password
    with running(pipeline):
        request = trace_request()
        grpc_export(pipeline.endpoint, request)
        wait_until(lambda: len(receiver.items()) >= 10, 30, "spans through SASL_SSL")
        assert sorted(receiver.items()) == sorted(items_of(request))
        for service in pipeline.services():
            assert password not in service.log() + service.admin("/configz") + service.admin("/statusz")


def test_mutual_tls_to_kafka(secure_kafka, receiver, tmp_path):
    section = {
        "brokers": [f"127.0.0.1:{secure_kafka.port + 2}"],
        "tls": {
            "enabled": True,
            "ca_file": str(secure_kafka.tls / "ca.crt"),
            "certificate_file": str(secure_kafka.tls / "client.crt"),
            "key_file": str(secure_kafka.tls / "client.key"),
        },
    }
    with running(Pipeline(tmp_path, secure_kafka.brokers, to(receiver), kafka=section)) as pipeline:
        grpc_export(pipeline.endpoint, trace_request())
        wait_until(lambda: len(receiver.items()) >= 10, 30, "spans through mutual TLS")


def test_a_wrong_kafka_password_is_said_and_nothing_is_acknowledged(secure_kafka, tmp_path):
    section = {
        "brokers": [f"127.0.0.1:{secure_kafka.port + 1}"],
        "tls": {"enabled": True, "ca_file": str(secure_kafka.tls / "ca.crt")},
        "sasl": {"mechanism": "scram_sha_512", "username": "scram", "password": "wrong"},
    }
    pipeline = Pipeline(tmp_path, secure_kafka.brokers, {}, kafka=section, bridge={"create_topics": False})
    bridge = pipeline.bridge.start()
    try:
        bridge.wait_listening()
        wait_until(lambda: "uthentication" in bridge.log(), 20, "the reason in the log")
        with pytest.raises(grpc.RpcError) as refused:
            grpc_export(f"127.0.0.1:{pipeline.bridge_port}", trace_request(), timeout=15)
        assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
        with pytest.raises(urllib.error.HTTPError):
            bridge.admin("/readyz")
    finally:
        bridge.kill9()


def refusing_all_but(valid, backend_type):
    """A backend that accepts one bearer token, `valid[0]`. Its names() are those of the accepted spans."""
    if backend_type == "otlp_http":
        return TenantBackend(accepts=lambda headers: headers.get("authorization") == "Bearer " + valid[0])
    receiver = OtlpReceiver()

    def answer(_, context):
        if dict(context.invocation_metadata()).get("authorization") != "Bearer " + valid[0]:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not known")

    receiver.answer = answer
    receiver.url = receiver.endpoint
    receiver.names = lambda: [name for request, _ in receiver.requests for name in span_names(request)]
    return receiver


@pytest.mark.parametrize("kind", ["otlp_grpc", "otlp_http"])
def test_a_new_token_of_a_destination_needs_no_restart(kafka, tmp_path, kind):
    """F26: the header's file is written anew while spans come in; an empty or missing file changes nothing."""
    token, valid = tmp_path / "token", ["one"]
    token.write_text("one\n")
    backend = refusing_all_but(valid, kind)
    section = {"endpoint": backend.url, "headers": {"Authorization": f"Bearer ${{file:{token}}}"}}
    retry = {"consumer": {"retry": {"stalled_max": "1s"}}}
    pipeline = Pipeline(tmp_path, kafka.brokers, {"to": {"type": kind, kind: section}}, consumer=retry)
    sent = []

    def send(count):
        for _ in range(count):
            request = trace_request(spans=2)
            grpc_export(pipeline.endpoint, request)
            sent.extend(span_names(request))

    try:
        with running(pipeline):
            log = pipeline.exporters["to"].log
            send(5)
            wait_until(lambda: sorted(backend.names()) == sorted(sent), 60, "the spans, with the first token")
            token.write_text("")
            send(5)
            wait_until(lambda: "is empty" in (send(1), log())[1], 60, "a warning of the empty file", 0.5)
            token.unlink()
            wait_until(lambda: "cannot be read" in (send(1), log())[1], 60, "a warning of the missing file", 0.5)
            wait_until(lambda: sorted(backend.names()) == sorted(sent), 60, "the spans, with the token of before")
            assert "headers.authorization: the file" in log() and str(token) in log()
            valid[0] = "two"
            send(5)
            stalls = pipeline.consumers["to"].status
            wait_until(lambda: stalls()["stalls"], 60, "a stall, not dead letters")
            token.write_text("two\n")
            wait_until(lambda: sorted(backend.names()) == sorted(sent), 60, "every span once, with the second token")
            assert not [secret for secret in ("Bearer one", "Bearer two") if secret in log()]
    finally:
        backend.stop()
