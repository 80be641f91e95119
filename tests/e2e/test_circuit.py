"""The circuit breaker of an exporter before a real Zipkin that is killed and started again."""
import shutil

from harness.parts import Zipkin
from harness.pipeline import Pipeline, running
from harness.processes import http_get, wait_until
from harness.send import grpc_export, trace_request

SPANS = 3


def test_a_killed_backend_gets_probes_only_and_nothing_is_lost_or_dead_lettered(kafka, tmp_path):
    zipkin = Zipkin(tmp_path)
    zipkin.start()
    pipeline = Pipeline(
        tmp_path,
        kafka.brokers,
        {"zipkin": {"type": "zipkin", "zipkin": {"endpoint": zipkin.endpoint}}, "other": {"type": "debug"}},
        # Each record is a batch of its own, and they are in flight together: many answers in little time.
        consumers={"zipkin": {"consumer": {"batch": {"items_max": SPANS, "linger": "0s"}, "retry": {"initial": "50ms", "max": "200ms"}}}},
    )
    sent = []

    def send():
        request = trace_request(spans=SPANS)
        grpc_export(pipeline.endpoint, request)
        sent.append(request.resource_spans[0].scope_spans[0].spans[0].trace_id.hex())

    with running(pipeline):
        exporter, consumer = pipeline.exporters["zipkin"], pipeline.consumers["zipkin"]
        try:
            for _ in range(5):
                send()
            zipkin.trace(sent[-1], SPANS)
            assert exporter.status()["destination"]["circuit"] == "closed"
            zipkin.stop()
            shutil.rmtree(tmp_path / "zipkin")
            del sent[:]  # Zipkin keeps traces in memory only.
            for _ in range(40):
                send()
            opened = wait_until(lambda: exporter.status()["destination"]["degraded"] and exporter.status(), 60, "the circuit open")
            assert opened["ready"] and exporter.ready()
            assert f"ok: degraded: zipkin http://127.0.0.1:{zipkin.port}" in exporter.admin("/readyz")
            assert exporter.metric("spanway_exporter_degraded_destinations") == 1
            # Only probes: one in 5 s, the stream being one.
            tried = exporter.metric("spanway_exporter_refused_batches_total")
            held = exporter.metric("spanway_exporter_circuit_refused_batches_total")
            wait_until(lambda: exporter.metric("spanway_exporter_refused_batches_total") >= tried + 2, 60, "two probes")
            assert exporter.metric("spanway_exporter_circuit_refused_batches_total") > held
            assert pipeline.exporters["other"].status()["destination"]["degraded"] is False
            wait_until(lambda: consumer.status()["stalls"], 60, "the bridge stalls")
            zipkin.start()
            for trace in sent:
                zipkin.trace(trace, SPANS, seconds=60)
            wait_until(lambda: exporter.status()["destination"]["circuit"] == "closed", 30, "the circuit closed")
            assert exporter.metric("spanway_exporter_degraded_destinations") == 0
            assert exporter.admin("/readyz") == "ok\n"
            assert exporter.metric("spanway_exporter_circuit_opened_total") >= 1
            assert consumer.metric("spanway_kafka_bridge_dead_letters_total") == 0
            assert consumer.metric("spanway_kafka_bridge_halved_batches_total") == 0
            spans = sum(len(wait_until(lambda: zipkin.trace(trace, SPANS), 10, "trace")) for trace in sent)
            assert spans == SPANS * len(sent), "each once"
            assert http_get(f"http://127.0.0.1:{zipkin.port}/health")
        finally:
            zipkin.stop()
