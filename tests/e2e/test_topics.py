"""The reports of `topics apply` and `topics verify` on the topics of a real Kafka."""
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from harness.load import Load
from harness.parts import Kafka
from harness.pipeline import Pipeline, running
from harness.processes import BIN, wait_until
from harness.send import grpc_export, logs_request, text, trace_request


@pytest.fixture
def creating_kafka(tmp_path):
    kafka = Kafka(tmp_path / "creating", properties="auto.create.topics.enable=true").start()
    yield kafka
    kafka.stop()


def topics_command(folder, kafka, *arguments, **topics):
    """The exit code and the report, by topic."""
    path = folder / "topics.yaml"
    path.write_text(json.dumps({"kafka": kafka, "topics": dict({"partitions": 2, "dead_letter_partitions": 1}, **topics)}))
    command = [BIN / "spanway-kafka-bridge", "topics", *arguments, "--config", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    report = json.loads(done.stdout)
    assert "error" not in report, report
    return done.returncode, {topic["name"]: topic for topic in report["topics"]}


def section(brokers, name, **more):
    topics = {signal: f"{name}.{signal}" for signal in ("traces", "metrics", "logs")}
    return dict({"brokers": [brokers], "topics": topics}, **more)


def set_min_insync_replicas(kafka, topic, number):
    set_topic(kafka, topic, "min.insync.replicas", number)


def set_topic(kafka, topic, setting, value):
    entry = ConfigEntry(setting, str(value), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    admin.incremental_alter_configs([resource])[resource].result(20)


def test_min_insync_replicas_in_effect_are_reported(kafka, tmp_path):
    names = section(kafka.brokers, "reported")
    code, topics = topics_command(tmp_path, names, "apply")
    assert code == 0
    assert len(topics) == 6
    # Not set on the topic: this is the broker's own.
    assert {(topic["action"], topic["min_insync_replicas"]) for topic in topics.values()} == {("created", 1)}
    assert all(topic["weaker"] == [] and "unread" not in topic for topic in topics.values())

    code, topics = topics_command(tmp_path, names, "verify", min_insync_replicas=2)
    assert code == 3
    for topic in topics.values():
        assert topic["action"] == "unchanged"
        assert topic["min_insync_replicas"] == 1
        assert topic["weaker"] == ["min.insync.replicas is 1, configured 2"]

    # `apply --create-only` reports existing topics in the same way.
    assert topics_command(tmp_path, names, "apply", "--create-only", min_insync_replicas=2) == (code, topics)


def test_more_in_sync_than_there_are_copies_is_said(kafka, tmp_path):
    names = section(kafka.brokers, "above")
    assert topics_command(tmp_path, names, "apply")[0] == 0
    set_min_insync_replicas(kafka, "above.traces", 2)

    def reported():
        code, topics = topics_command(tmp_path, names, "verify")
        return topics["above.traces"]["min_insync_replicas"] == 2 and (code, topics)

    code, topics = wait_until(reported, 20, "the new setting in the report")
    assert code == 3
    (words,) = topics["above.traces"]["weaker"]
    assert "min.insync.replicas is 2 but the replication factor is 1" in words
    assert "raise the factor or lower the setting" in words
    assert topics["above.logs"]["weaker"] == []

    # The message speaks of newer brokers: this one takes records all the same.
    with running(Pipeline(tmp_path, kafka.brokers, {}, kafka=names, bridge={"create_topics": False})) as pipeline:
        grpc_export(pipeline.endpoint, trace_request())


def test_settings_that_may_not_be_read_are_left_out_and_fail_nothing(secure_kafka, tmp_path):
    names = section(
        f"127.0.0.1:{secure_kafka.port + 1}",
        "closed",
        tls={"enabled": True, "ca_file": str(secure_kafka.tls / "ca.crt")},
        sasl={"mechanism": "plain", "username": "app", "password": "app-password"},
    )
    made = [f"closed.{signal}{suffix}" for signal in ("traces", "metrics", "logs") for suffix in ("", ".dlq")]
    admin = AdminClient({"bootstrap.servers": secure_kafka.brokers})
    for future in admin.create_topics([NewTopic(topic, 2, 1) for topic in made]).values():
        future.result(20)
    # Once anything is said of a topic, only what is allowed is.
    rights = [
        AclBinding(
            ResourceType.TOPIC, "closed.", ResourcePatternType.PREFIXED, "User:app", "*", operation, AclPermissionType.ALLOW
        )
        for operation in (AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE)
    ]
    for future in admin.create_acls(rights).values():
        future.result(20)

    def refused():
        code, topics = topics_command(tmp_path, names, "verify", min_insync_replicas=2)
        return all("unread" in topic for topic in topics.values()) and (code, topics)

    code, topics = wait_until(refused, 20, "the rights are in force")
    assert code == 0, topics
    for topic in topics.values():
        assert topic["partitions"] == 2
        assert topic["weaker"] == [] and topic["error"] == ""
        assert "min_insync_replicas" not in topic
        assert "uthoriz" in topic["unread"] and "DescribeConfigs" in topic["unread"]

    rights = [
        AclBinding(
            ResourceType.TOPIC, "closed.", ResourcePatternType.PREFIXED, "User:app", "*", operation, AclPermissionType.ALLOW
        )
        for operation in (AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER)
    ]
    for future in admin.create_acls(rights).values():
        future.result(20)

    def unchanged():
        code, topics = topics_command(tmp_path, names, "apply", retention="800h")
        return all("unread" not in topic for topic in topics.values()) and (code, topics)

    code, topics = wait_until(unchanged, 20, "the right to read settings is in force")
    assert code == 3, topics
    assert any("AlterConfigs" in words for words in topics["closed.traces"]["weaker"]), topics


def test_what_can_lose_records_is_named_by_report_log_and_status(kafka, tmp_path):
    names = section(kafka.brokers, "weak")
    assert topics_command(tmp_path, names, "apply")[0] == 0
    set_topic(kafka, "weak.traces", "cleanup.policy", "compact")
    set_topic(kafka, "weak.metrics", "retention.bytes", 1_000_000)
    set_topic(kafka, "weak.logs", "unclean.leader.election.enable", "true")

    def reported():
        code, topics = topics_command(tmp_path, names, "verify")
        return all(topics[f"weak.{signal}"]["weaker"] for signal in ("traces", "metrics", "logs")) and (code, topics)

    code, topics = wait_until(reported, 20, "the weaknesses in the report")
    assert code == 3
    expected = {"traces": "cleanup.policy is compact", "metrics": "retention.bytes is 1000000", "logs": "unclean.leader.election.enable is true"}
    for signal, words in expected.items():
        (weaker,) = topics[f"weak.{signal}"]["weaker"]
        assert words in weaker
    with running(Pipeline(tmp_path, kafka.brokers, {}, kafka=names, bridge={"create_topics": False})) as pipeline:
        found = wait_until(lambda: pipeline.bridge.status()["weaknesses"], 20, "the weaknesses in the status")
        for signal, words in expected.items():
            assert any(weakness.startswith(f"weak.{signal}: {words}") for weakness in found), found
            assert words in pipeline.bridge.log()


def test_the_broker_sets_the_time_of_records_so_that_retention_does_not_depend_on_clocks(kafka, tmp_path):
    pipeline = Pipeline(tmp_path, kafka.brokers, {})
    with running(pipeline):
        grpc_export(pipeline.endpoint, trace_request(spans=3))
        (record,) = read_from(kafka.brokers, pipeline.topics["traces"], 1)
        assert record.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME
        assert not any("CreateTime" in weakness for weakness in pipeline.bridge.status()["weaknesses"])
        assert abs(pipeline.bridge.metric("spanway_kafka_clock_difference_seconds")) < 5


def test_a_topic_that_keeps_the_producers_time_is_a_weakness(kafka, tmp_path):
    pipeline = Pipeline(tmp_path, kafka.brokers, {}, bridge={"create_topics": False})
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    admin.create_topics([NewTopic(pipeline.topics["traces"], 1, 1)])[pipeline.topics["traces"]].result(20)
    said = f"{pipeline.topics['traces']}: message.timestamp.type is CreateTime"
    with running(pipeline):
        wait_until(lambda: any(w.startswith(said) for w in pipeline.bridge.status()["weaknesses"]), 20, "the weakness")


def test_requests_that_fit_the_topic_alone_are_taken_together_too(kafka, tmp_path):
    """Below the size of records that the bridge writes, and of the client library's batches."""
    pipeline = Pipeline(tmp_path, kafka.brokers, {}, bridge={"create_topics": False}, ingress={"merge": {"linger": "200ms"}})
    topics = list(pipeline.topics.values())
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    made = admin.create_topics([NewTopic(topic, 1, 1, config={"max.message.bytes": "200000"}) for topic in topics])
    for future in made.values():
        future.result(20)

    def large(name, size):
        request = trace_request(spans=1)
        span = request.resource_spans[0].scope_spans[0].spans[0]
        span.name = name
        span.attributes.append(text("random", os.urandom(size // 2).hex()))
        return request

    with running(pipeline):
        said = f"{topics[0]}: max.message.bytes is 200000"
        wait_until(lambda: any(w.startswith(said) for w in pipeline.bridge.status()["weaknesses"]), 20, "the weakness")
        with ThreadPoolExecutor(12) as pool:
            for turn in range(5):
                list(pool.map(lambda i: grpc_export(pipeline.endpoint, large(f"{turn}-{i}", 60_000)), range(12)))
        records = read_from(kafka.brokers, pipeline.topics["traces"], 20)
        assert max(len(record.value()) for record in records) < 200_000
        mixed = large("too large", 250_000)
        mixed.MergeFrom(large("small", 100))
        answer = grpc_export(pipeline.endpoint, mixed)
        assert answer.partial_success.rejected_spans == 1
        assert f"max.message.bytes of the topic {pipeline.topics['traces']}" in answer.partial_success.error_message


def read_from(brokers, topic, count):
    """At least `count` records of a topic."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"read-{topic}", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = []

    def enough():
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
        return len(found) >= count

    wait_until(enough, 30, f"{count} records of {topic}", 0)
    consumer.close()
    return found


def test_with_keys_a_compacted_topic_is_refused(kafka, tmp_path):
    names = section(kafka.brokers, "keyed")
    assert topics_command(tmp_path, names, "apply")[0] == 0
    set_topic(kafka, "keyed.traces", "cleanup.policy", "compact")
    path = tmp_path / "keyed.yaml"
    keyed = {"record_key": "trace_id"}
    path.write_text(json.dumps({"kafka": names, "producer": keyed, "topics": {"partitions": 2, "dead_letter_partitions": 1}}))

    def refused():
        command = [BIN / "spanway-kafka-bridge", "topics", "apply", "--config", path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        topics = {topic["name"]: topic for topic in json.loads(done.stdout)["topics"]}
        return done.returncode == 1 and topics["keyed.traces"]

    topic = wait_until(refused, 20, "topics apply refuses the topic")
    assert topic["action"] == "failed" and "cleanup.policy=compact" in topic["error"]
    with running(Pipeline(tmp_path, kafka.brokers, {}, kafka=names, bridge={"create_topics": False, "producer": keyed})) as pipeline:
        with pytest.raises(grpc.RpcError) as refusal:
            grpc_export(pipeline.endpoint, trace_request())
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "cleanup.policy=compact" in refusal.value.details()
        produce = pipeline.bridge.status()["produce"]
        assert produce["ok"] is False and produce["last_error_reason"] == "kafka_compacted_topic"
        grpc_export(pipeline.endpoint, logs_request())


def test_apply_reports_the_partitions_that_a_grown_topic_has(kafka, tmp_path):
    names = section(kafka.brokers, "grown")
    for partitions in (2, 12, 24, 36):
        code, topics = topics_command(tmp_path, names, "apply", partitions=partitions)
        assert code == 0
        assert {t["partitions"] for name, t in topics.items() if not name.endswith(".dlq")} == {partitions}


def test_apply_raises_what_is_weaker_and_lowers_nothing(kafka, tmp_path):
    names = section(kafka.brokers, "raised")
    hour = 3_600_000

    def apply(*flags, **topics):
        code, found = topics_command(tmp_path, names, *flags, **topics)
        return code, found["raised.traces"]["action"], found["raised.traces"]["weaker"]

    assert apply("apply", retention="24h") == (0, "created", [])
    weaker = [f"retention.ms is {24 * hour}, configured {48 * hour}"]
    assert apply("verify", retention="48h") == apply("apply", "--create-only", retention="48h") == (3, "unchanged", weaker)
    assert apply("apply", retention="48h") == (0, "changed", [])
    assert topic_setting(kafka, "raised.traces", "retention.ms") == str(48 * hour)
    # Data that waits would be deleted, and another Pipeline may share the topic.
    assert apply("apply", retention="2h") == (0, "unchanged", [])
    assert topic_setting(kafka, "raised.traces", "retention.ms") == str(48 * hour)
    # There is one copy: two in sync could not be reached.
    code, action, weaker = apply("apply", retention="48h", min_insync_replicas=2)
    assert (code, action) == (3, "unchanged") and "min.insync.replicas is 1, configured 2" in weaker


def topic_setting(kafka, topic, setting):
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    return admin.describe_configs([resource])[resource].result(20)[setting].value


def test_look_ups_never_create_a_topic(creating_kafka, tmp_path):
    """The brokers would create any topic that is requested."""
    kafka = creating_kafka
    names = section(kafka.brokers, "absent")
    admin = AdminClient({"bootstrap.servers": kafka.brokers, "allow.auto.create.topics": False})

    def there():
        return {topic for topic in admin.list_topics(timeout=10).topics if topic.startswith("absent.")}

    assert topics_command(tmp_path, names, "verify")[0] == 1
    assert there() == set()
    with running(Pipeline(tmp_path, kafka.brokers, {}, kafka=names, bridge={"create_topics": False})) as pipeline:
        with pytest.raises(grpc.RpcError) as refusal:
            grpc_export(pipeline.endpoint, trace_request())
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
        assert pipeline.bridge.status()["produce"]["last_error_reason"] == "kafka_unknown_topic"
        assert there() == set()
        # Deleted under load.
        assert topics_command(tmp_path, names, "apply")[0] == 0
        wait_until(lambda: exported(pipeline.endpoint), 30, "the topics are written to")
        load = Load(tmp_path, pipeline.endpoint, 500, 12, "--retry-for", "1s", "--finish-within", "5s").start()
        wait_until(lambda: pipeline.bridge.metric("spanway_kafka_bridge_written_items_total") > 500, 20, "load")
        admin.delete_topics(["absent.traces"])["absent.traces"].result(20)
        wait_until(lambda: pipeline.bridge.status()["produce"]["ok"] is False, 20, "the bridge says so")
        load.wait(60)
        assert "absent.traces" not in there()


def exported(endpoint):
    try:
        grpc_export(endpoint, trace_request())
        return True
    except grpc.RpcError:
        return False
