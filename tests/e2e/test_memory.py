"""P5: memory stays below `memory_limit` under any input, and the next good request is answered OK.

Small limits, so that little input is enough to pass them. Each test watches the process from outside.
"""
import contextlib
import gzip
import resource
import signal
import socket
import struct
import threading

import grpc
import pytest
import requests
from confluent_kafka import Producer
from harness.load import Sink
from harness.pipeline import Pipeline, merge, running
from harness.ports import free_port
from harness.processes import Service, wait_until
from harness.send import grpc_export, logs_request, trace_request

MIB = 2**20
LIMIT_MIB = 128
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture(autouse=True)
def many_sockets():
    """The services inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def sink(tmp_path):
    with Sink(tmp_path).start() as sink:
        yield sink
        sink.thaw()


class Watched:
    """The highest RSS of a service, seen from outside, while the block runs."""

    def __init__(self, service):
        self.service, self.peak, self.done = service, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.done.wait(0.02):
            with contextlib.suppress(OSError):
                self.peak = max(self.peak, self.service.rss_bytes())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        print(f"{self.service.name}: peak {self.peak / MIB:.0f} MiB")


class Ingress(Service):
    """An ingress with small limits before a sink that counts."""

    def __init__(self, folder, sink, **change):
        self.grpc_port, self.http_port = free_port(), free_port()
        self.endpoint, self.url = f"127.0.0.1:{self.grpc_port}", f"http://127.0.0.1:{self.http_port}"
        config = {
            "otlp": {"host": "127.0.0.1", "grpc": {"port": self.grpc_port}, "http": {"port": self.http_port}},
            "next": {"endpoint": sink.endpoint},
            "memory_limit": f"{LIMIT_MIB}MiB",
            "limits": {"body_bytes_max": "32MiB"},
        }
        super().__init__("ingress", "spanway-ingress", merge(config, change), folder)


def post(url, body, headers=PROTOBUF, timeout=30):
    return requests.post(url, data=body, headers=headers, timeout=timeout)


def good_requests_pass(ingress, seconds=20):
    """Over both protocols; a refusal with a time to come back is waited out."""

    def over_grpc():
        try:
            return grpc_export(ingress.endpoint, trace_request(), timeout=10) is not None
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE):
                raise
            return False

    def over_http():
        answer = post(ingress.url + "/v1/traces", trace_request().SerializeToString(), timeout=10)
        assert answer.status_code in (200, 429, 503), answer.text
        return answer.status_code == 200

    wait_until(over_grpc, seconds, "a good request over gRPC")
    wait_until(over_http, seconds, "a good request over HTTP")


def holds_its_limit(service, watched, limit_mib=LIMIT_MIB):
    assert watched.peak < limit_mib * MIB, f"{watched.peak / MIB:.0f} of {limit_mib} MiB"
    memory = service.status()["memory"]
    assert memory["limit"] == limit_mib * MIB
    assert 0 < memory["rss"] <= memory["peak"] < limit_mib * MIB
    assert memory["used"] == sum(memory["owners"].values())


def nothing_left(consumer):
    lags = [p["lag_messages"] for p in consumer.status()["partitions"]]
    return len(lags) > 0 and all(lag == 0 for lag in lags)  # None until a broker has answered.


@contextlib.contextmanager
def attacked(ingress):
    """Starts the ingress, watches it during the block, then wants it well."""
    with ingress.start().wait_ready() as service, Watched(service) as watched:
        yield watched
        good_requests_pass(service)
        holds_its_limit(service, watched)
        assert service.metric("spanway_bugs_total") == 0
        assert service.stop() == 0


def sockets(port, number, send=b""):
    """Connections that have sent `send`; those that were cut on the way are left out."""
    made = []
    for _ in range(number):
        with contextlib.suppress(OSError):
            client = socket.create_connection(("127.0.0.1", port), 10)
            made.append(client)
            client.sendall(send)
    return made


def at_once(number, work):
    threads = [threading.Thread(target=work, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


# --- HTTP/2 by hand ---

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def field(name, value):
    """A literal without indexing."""

    def number(n):
        out = bytes([0x7F]) if n >= 127 else bytes([n])
        n -= 127
        while n >= 128:
            out, n = out + bytes([n % 128 + 128]), n // 128
        return out + (bytes([n]) if len(out) > 1 or out[0] == 0x7F else b"")

    return b"\0" + number(len(name)) + name + number(len(value)) + value


def export_headers(stream, padding=0, path=b"/opentelemetry.proto.collector.trace.v1.TraceService/Export"):
    block = b"".join(
        field(*pair)
        for pair in (
            (b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"),
            (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"x-padding", b"p" * padding),
        )
    )
    return frame(1, 4, stream, block)


HELLO = PREFACE + frame(4, 0, 0, b"")


# --- 12: indexes ---


def empty_log_records(count):
    """Two bytes each, and an index entry."""

    def message(tag, body):
        size, prefix = len(body), b""
        while size >= 128:
            prefix, size = prefix + bytes([size % 128 + 128]), size // 128
        return tag + prefix + bytes([size]) + body

    return message(b"\x0a", message(b"\x12", b"\x12\x00" * count))


def test_indexes_of_many_empty_items_fit_the_limit(sink, tmp_path):
    body = empty_log_records(4_000_000 - 10)
    with attacked(Ingress(tmp_path, sink)) as watched:
        answers = []
        at_once(8, lambda: answers.append(post(watched.service.url + "/v1/logs", body, timeout=60)))
        assert len(answers) == 8
        assert {a.status_code for a in answers} <= {200, 413, 429}, [a.text[:200] for a in answers]


def test_the_bridge_indexes_within_its_limit(kafka, tmp_path):
    port = free_port()
    bridge = Service(
        "bridge", "spanway-kafka-bridge",
        {"mode": "produce", "kafka": {"brokers": [kafka.brokers], "topics": {s: f"otel.{s}.memory" for s in ("traces", "metrics", "logs")}},
         "create_topics": True, "otlp": {"grpc": {"port": port}}, "memory_limit": f"{LIMIT_MIB}MiB", "limits": {"body_bytes_max": "16MiB"}},
        tmp_path,
    )
    request = logs_request().FromString(empty_log_records(4_000_000 - 10))
    with bridge.start().wait_ready(), Watched(bridge) as watched:

        def send():
            with contextlib.suppress(grpc.RpcError):
                grpc_export(f"127.0.0.1:{port}", request, timeout=60)

        at_once(4, send)
        grpc_export(f"127.0.0.1:{port}", logs_request(), timeout=20)
        holds_its_limit(bridge, watched)
        assert bridge.stop() == 0


def test_the_consumer_indexes_within_its_limit(kafka, sink, tmp_path):
    pipeline = Pipeline(
        tmp_path, kafka.brokers, {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": sink.endpoint}}},
        consumer={"memory_limit": "256MiB", "topics": {"partitions": 32}}, bridge={"topics": {"partitions": 32}}, signals=("logs",),
    )
    record = empty_log_records(450_000)
    with running(pipeline):
        consumer = pipeline.consumers["otlp"]
        with Watched(consumer) as watched:
            producer = Producer({"bootstrap.servers": kafka.brokers, "queue.buffering.max.kbytes": 200_000})
            for i in range(64):
                producer.produce(pipeline.topics["logs"], record, partition=i % 32)
            producer.flush(60)
            good = logs_request()
            grpc_export(pipeline.endpoint, good)
            wait_until(lambda: nothing_left(consumer), 120, "no lag left", 0.5)
            holds_its_limit(consumer, watched, 256)


# --- 13: connections and streams ---


def test_connections_with_open_streams_fit_the_limit(sink, tmp_path):
    hello = HELLO + b"".join(export_headers(1 + 2 * i, 1500) for i in range(20))
    with attacked(Ingress(tmp_path, sink)) as watched:
        held = sockets(watched.service.grpc_port, 4500, hello)
        assert watched.service.status()["memory"]["owners"]["connections"] > 10 * MIB
        good_requests_pass(watched.service)
        for client in held:
            client.close()
        wait_until(lambda: watched.service.status()["memory"]["owners"]["connections"] < MIB, 30, "the memory of closed connections")


def test_requests_sent_ahead_of_an_answer_fit_the_limit(sink, tmp_path):
    body = trace_request().SerializeToString()
    one = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    with attacked(Ingress(tmp_path, sink)) as watched:
        sink.freeze()  # As a Kafka that hangs.
        held = sockets(watched.service.http_port, 1500, one * (128 * 1024 // len(one)))
        wait_until(lambda: watched.service.metric("spanway_http_streams_open") > 100, 20, "requests that wait")
        sink.thaw()
        for client in held:
            client.close()


def test_idle_connections_make_room_for_others(sink, tmp_path):
    change = {"limits": {"connections_max": 100}}
    with attacked(Ingress(tmp_path, sink, **change)) as watched:
        idle = sockets(watched.service.grpc_port, 150) + sockets(watched.service.http_port, 150)
        wait_until(lambda: watched.service.metric("spanway_http_connections_open", listener="otlp_grpc") >= 75, 10, "connections")
        good_requests_pass(watched.service)
        assert watched.service.metric("spanway_http_connections_cut_total", reason="evicted") > 0
        assert watched.service.metric("spanway_http_connections_open", listener="otlp_grpc") <= 100
        assert len(idle) == 300


def test_idle_connections_make_room_where_the_process_may_open_few_files(sink, tmp_path):
    ingress = Ingress(tmp_path, sink)
    ingress.command = ["prlimit", "--nofile=100:100", *ingress.command]
    with attacked(ingress) as watched:
        idle = sockets(watched.service.grpc_port, 150) + sockets(watched.service.http_port, 150)
        wait_until(lambda: watched.service.metric("spanway_http_connections_cut_total", reason="evicted") > 0, 10, "an idle connection to make room")
        good_requests_pass(watched.service)
        assert watched.service.metric("spanway_http_connections_refused_total", reason="accept_error") == 0
        assert "Fewer connections than configured" in watched.service.log()
        assert len(idle) == 300


def test_idle_connections_of_both_protocols_end(sink, tmp_path):
    with attacked(Ingress(tmp_path, sink, limits={"idle_timeout": "1s"})) as watched:
        http1 = sockets(watched.service.http_port, 5, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        http2 = sockets(watched.service.grpc_port, 5, HELLO)
        opened = lambda: watched.service.metric("spanway_http_connections_open", listener="otlp_grpc") + watched.service.metric(  # noqa: E731
            "spanway_http_connections_open", listener="otlp_http"
        )
        wait_until(lambda: opened() >= 10, 5, "connections")
        wait_until(lambda: opened() == 0, 20, "idle connections to end")
        assert len(http1) == len(http2) == 5


def test_endless_bodies_fit_the_limit(sink, tmp_path):
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"\0" * 65536 + b"\r\n"
    with attacked(Ingress(tmp_path, sink)) as watched:

        def send_on():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", watched.service.http_port), 10) as client:
                client.sendall(head)
                for _ in range(2000):
                    client.sendall(chunk)

        at_once(16, send_on)


# --- 14: announcements ---


def test_announced_bytes_take_no_memory_from_others(sink, tmp_path):
    announced = 32 * MIB
    grpc_call = HELLO + export_headers(1) + frame(0, 0, 1, b"\0" + struct.pack(">I", announced) + b"0123456789")
    http_call = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: %d\r\n\r\n0123456789" % announced
    with attacked(Ingress(tmp_path, sink)) as watched:
        held = sockets(watched.service.grpc_port, 50, grpc_call) + sockets(watched.service.http_port, 50, http_call)
        wait_until(lambda: watched.service.metric("spanway_http_streams_open") >= 100, 10, "open requests")
        assert watched.service.status()["memory"]["owners"]["requests"] < MIB
        grpc_export(watched.service.endpoint, trace_request(), timeout=10)
        assert post(watched.service.url + "/v1/traces", trace_request().SerializeToString()).status_code == 200
        for client in held:
            client.close()


# --- 15: JSON ---


def test_json_that_grows_fits_the_limit(sink, tmp_path):
    json = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","histogram":{"dataPoints":[{"bucketCounts":[0' + b",0" * 3_900_000 + b"]}]}}]}]}]}"
    with attacked(Ingress(tmp_path, sink)) as watched:
        answers = []
        at_once(8, lambda: answers.append(post(watched.service.url + "/v1/metrics", json, {"content-type": "application/json"}, 60)))
        assert {a.status_code for a in answers} <= {200, 400, 413, 429}, [a.text[:200] for a in answers]
        assert len(answers) == 8


# --- many at once, and what was refused wrongly ---


def test_requests_in_flight_fit_the_limit_and_the_others_receive_a_retry_delay(sink, tmp_path):
    body = trace_request(spans=2000).SerializeToString()
    with attacked(Ingress(tmp_path, sink, merge={"enabled": False})) as watched:
        sink.freeze()
        codes, lock = [], threading.Lock()

        def send():
            for _ in range(20):
                with contextlib.suppress(requests.RequestException):
                    answer = post(watched.service.url + "/v1/traces", body, timeout=5)
                    with lock:
                        codes.append((answer.status_code, answer.headers.get("retry-after")))

        threading.Timer(8, sink.thaw).start()
        at_once(64, send)
        assert any(code == 200 for code, _ in codes)
        assert all(after for code, after in codes if code in (429, 503))


def thousand_in_flight(kafka, folder, limit_mib):
    """1,024 requests of 400 KB at a fused ingress and bridge, Kafka frozen: no body ends before all have
    arrived, so that Kafka's queue, which refuses what it has no room for, is not what bounds them.
    Returns the peak of the process."""
    grpc_port, http_port = free_port(), free_port()
    fused = Service(
        "fused", "spanway",
        {
            "run": ["ingress", "bridge"],
            "memory_limit": f"{limit_mib}MiB",
            "ingress": {"otlp": {"host": "127.0.0.1", "grpc": {"port": grpc_port}, "http": {"port": http_port}}},
            "bridge": {"mode": "produce", "create_topics": True, "kafka": {"brokers": [kafka.brokers], "topics": {s: f"otel.{s}.fused-memory" for s in ("traces", "metrics", "logs")}}},
        },
        folder,
    )
    url = f"http://127.0.0.1:{http_port}/v1/traces"
    body = trace_request(spans=5300).SerializeToString()
    assert 390_000 < len(body) < 500_000
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: %d\r\n\r\n" % len(body)
    with fused.start().wait_ready(), Watched(fused) as watched:
        wait_until(lambda: post(url, trace_request().SerializeToString()).status_code == 200, 30, "a first answer")
        kafka.signal(signal.SIGSTOP)
        try:
            clients = sockets(http_port, 1024, head)
            assert len(clients) == 1024
            open_ones = [client for client in clients if sent(client, body[:-1])]
            # The kernel's socket buffers hold bodies too, until the service has read them.
            wait_until(lambda: bytes_in_use(fused) > limit_mib * MIB / 4, 60, "bodies in a quarter of the memory")
            answers = [answer_of(client) for client in open_ones if sent(client, body[-1:])]
        finally:
            kafka.signal(signal.SIGCONT)
        # A refusal comes while the client still sends, and its connection may be reset.
        assert set(answers) <= {b"200", b"429", b"503", None}, set(answers)
        wait_until(lambda: post(url, body).status_code == 200, 40, "a good request")
        assert watched.peak < limit_mib * MIB, f"{watched.peak / MIB:.0f} of {limit_mib} MiB"
        assert fused.stop() == 0
    return watched.peak


def bytes_in_use(fused):
    status = fused.status()
    return sum(status[service]["memory"]["used"] for service in ("ingress", "bridge"))


def sent(client, data):
    with contextlib.suppress(OSError):
        client.sendall(data)
        return True
    return False


def answer_of(client):
    """The status; None of a connection that was reset."""
    client.settimeout(60)
    with contextlib.suppress(OSError):
        return client.recv(64).split(b" ")[1]
    return None


def test_a_thousand_requests_in_flight_fit_256_mib(kafka, tmp_path):
    thousand_in_flight(kafka, tmp_path, 256)


def test_a_thousand_requests_in_flight_take_more_where_they_may(kafka, tmp_path):
    """The load of the test above is enough to pass its limit."""
    assert thousand_in_flight(kafka, tmp_path, 640) > 256 * MIB


def test_a_very_repetitive_batch_is_taken(sink, tmp_path):
    request = logs_request(1)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.body.string_value = "the same line again and again " * 15
    for _ in range(29_999):
        request.resource_logs[0].scope_logs[0].log_records.add().CopyFrom(record)
    body = request.SerializeToString()
    small = gzip.compress(body)
    assert len(body) > 14_000_000 and len(body) / len(small) > 100
    with attacked(Ingress(tmp_path, sink)) as watched:
        answer = post(watched.service.url + "/v1/logs", small, dict(PROTOBUF, **{"content-encoding": "gzip"}))
        assert answer.status_code == 200, answer.text
        with grpc.insecure_channel(watched.service.endpoint) as channel:
            from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc

            logs_service_pb2_grpc.LogsServiceStub(channel).Export(request, timeout=30, compression=grpc.Compression.Gzip)
        # A bomb is still one: it is larger than a request may be.
        bomb = gzip.compress(b"\0" * (64 * MIB))
        assert post(watched.service.url + "/v1/logs", bomb, dict(PROTOBUF, **{"content-encoding": "gzip"})).status_code == 413


# --- 11: compressed topics ---


def test_compressed_records_fetched_ahead_fit_the_limit(kafka, sink, tmp_path):
    limit_mib = 256
    pipeline = Pipeline(
        tmp_path, kafka.brokers, {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": sink.endpoint}}},
        consumer={"memory_limit": f"{limit_mib}MiB"}, bridge={"topics": {"partitions": 12}}, signals=("logs",),
    )
    consumer = pipeline.consumers["otlp"]
    for service in pipeline.services():
        if service is not consumer:
            service.start().wait_ready()
    try:
        request = logs_request(1)
        record = request.resource_logs[0].scope_logs[0].log_records[0]
        record.body.string_value = "x" * 4000
        for _ in range(199):
            request.resource_logs[0].scope_logs[0].log_records.add().CopyFrom(record)
        payload = request.SerializeToString()
        producer = Producer({"bootstrap.servers": kafka.brokers, "compression.type": "lz4", "queue.buffering.max.kbytes": 500_000, "linger.ms": 50})
        for i in range(600):
            while len(producer) > 100:
                producer.poll(0.1)
            producer.produce(pipeline.topics["logs"], payload, partition=i % 12)
        producer.flush(120)
        sink.freeze()
        with consumer.start(), Watched(consumer) as watched:
            consumer.wait_ready()
            wait_until(lambda: consumer.status()["memory"]["owners"]["prefetch"] > 0, 30, "records fetched ahead")
            threading.Timer(5, sink.thaw).start()
            wait_until(lambda: nothing_left(consumer), 180, "no lag left", 0.5)
            holds_its_limit(consumer, watched, limit_mib)
            assert consumer.stop() == 0
    finally:
        pipeline.kill()
