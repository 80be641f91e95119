"""A consumer as a member of its group: what a crash of a broker costs, and why it holds nothing."""
import urllib.error
import urllib.request

import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from harness.load import Load, Sink, compare
from harness.pipeline import Pipeline, running
from harness.processes import wait_until
from harness.send import grpc_export, trace_request


def to(sink):
    return {"sink": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": sink.endpoint}}}


@pytest.fixture
def sink(tmp_path):
    with Sink(tmp_path).start() as sink:
        yield sink


def create_topics(brokers, pipeline, partitions, replication):
    admin = AdminClient({"bootstrap.servers": brokers})
    made = admin.create_topics([NewTopic(topic, partitions, replication) for topic in pipeline.topics.values()])
    for future in made.values():
        future.result(30)


def description(brokers, group):
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    try:
        return admin.describe_consumer_groups([group])[group].result(20)
    except KafkaException as error:
        raise OSError(str(error)) from None


def coordinator(brokers, group):
    return description(brokers, group).coordinator.id


def not_ready_because(service):
    """The answer of /readyz while it refuses."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{service.admin_port}/readyz", timeout=5)
    except urllib.error.HTTPError as error:
        return error.read().decode()
    raise ValueError("ready")


def test_a_crashed_coordinator_costs_the_group_no_partition(kafka3, sink, tmp_path):
    pipeline = Pipeline(tmp_path, kafka3.brokers, to(sink), bridge={"create_topics": False}, consumer={"create_topics": False})
    create_topics(kafka3.brokers, pipeline, 8, 3)
    with running(pipeline):
        consumer = pipeline.consumers["sink"]
        wait_until(lambda: len(consumer.status()["partitions"]) == 8, 30, "8 partitions")
        load = Load(tmp_path, pipeline.endpoint, 300, 30).start()
        wait_until(lambda: sink.report()["received"] > 500, 20, "spans")
        crashed = coordinator(kafka3.brokers, "spanway-sink")
        kafka3.kill9(crashed)
        wait_until(lambda: coordinator(kafka3.brokers, "spanway-sink") != crashed, 60, "another coordinator", 0.5)
        assert load.wait(90) == 0, load.log()
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 60, "all that was acknowledged", 0.5)
        assert consumer.metric("spanway_kafka_partitions_lost_total") == 0
        assert consumer.status()["assignment"] == {"ok": True, "reason": ""}


def test_a_foreign_assignor_in_the_group_is_said(kafka, receiver, tmp_path):
    destination = {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}
    pipeline = Pipeline(
        tmp_path, kafka.brokers, destination, bridge={"create_topics": False},
        consumer={"create_topics": False, "consumer": {"group": f"foreign-{tmp_path.name}"}},
    )
    create_topics(kafka.brokers, pipeline, 2, 1)
    group = pipeline.consumers["otlp"].config["consumer"]["group"]
    foreign = Consumer(
        {"bootstrap.servers": kafka.brokers, "group.id": group, "partition.assignment.strategy": "range",
         "log_level": 0}
    )
    foreign.subscribe([pipeline.topics["logs"]])

    def joined():
        foreign.poll(0.2)
        return description(kafka.brokers, group).members

    wait_until(joined, 30, "the foreign member")
    try:
        for service in (pipeline.exporters["otlp"], pipeline.bridge, pipeline.ingress):
            service.start().wait_ready()
        consumer = pipeline.consumers["otlp"].start().wait_listening()
        wait_until(lambda: "another partition assignor" in consumer.status()["assignment"]["reason"], 30, "the assignor")
        assert "another partition assignor" in not_ready_because(consumer)
        foreign.close()
        grpc_export(pipeline.endpoint, trace_request(spans=5))
        wait_until(lambda: len(receiver.items()) == 5, 60, "the spans, once the foreign member has left")
        assert consumer.status()["assignment"] == {"ok": True, "reason": ""}
        pipeline.stop()
    finally:
        pipeline.kill()


def secured(kafka, username="app", **login):
    return {
        "brokers": [f"localhost:{kafka.port + 1}"],
        "tls": {"enabled": True, "ca_file": str(kafka.tls / "ca.crt")},
        "sasl": dict({"mechanism": "plain", "username": username}, **login),
    }


def deny(kafka, resource, name, operation):
    """Only user `stranger` may; so user `app` may not, nor does the default (no rule) hold any more."""
    rule = AclBinding(
        resource, name, ResourcePatternType.LITERAL, "User:stranger", "*", operation, AclPermissionType.ALLOW
    )
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    for future in admin.create_acls([rule]).values():
        future.result(20)


def test_a_missing_right_on_the_group_is_said(secure_kafka, receiver, tmp_path):
    group = f"no-right-{tmp_path.name}"
    deny(secure_kafka, ResourceType.GROUP, group, AclOperation.READ)
    destination = {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}
    pipeline = Pipeline(
        tmp_path, secure_kafka.brokers, destination, kafka=secured(secure_kafka, password="app-password"),
        consumer={"consumer": {"group": group}},
    )
    try:
        for service in (pipeline.exporters["otlp"], pipeline.bridge):
            service.start().wait_ready()
        consumer = pipeline.consumers["otlp"].start().wait_listening()
        wait_until(lambda: not consumer.status()["assignment"]["ok"], 30, "the state")
        wait_until(lambda: "grant READ on the group" in consumer.status()["assignment"]["reason"], 30, "the right")
        wait_until(lambda: "grant READ on the group" in not_ready_because(consumer), 30, "the right in /readyz")
    finally:
        pipeline.kill()


@pytest.mark.parametrize("key", ["password_file", "password"])
def test_a_refused_login_is_said_by_all_who_are_queried_and_a_new_password_needs_no_restart(secure_kafka, receiver, tmp_path, key):
    password = tmp_path / "password"
    password.write_text("wrong\n")
    given = str(password) if key == "password_file" else f"${{file:{password}}}"
    destination = {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}
    pipeline = Pipeline(
        tmp_path, secure_kafka.brokers, destination, kafka=secured(secure_kafka, **{key: given}),
        bridge={"create_topics": False}, consumer={"create_topics": False},
    )
    create_topics(secure_kafka.brokers, pipeline, 1, 1)
    try:
        for service in pipeline.services():
            service.start().wait_listening()
        for service in (pipeline.bridge, pipeline.consumers["otlp"]):
            wait_until(lambda: "uthentication failed" in not_ready_because(service), 30, f"{service.name}: the login")
            # Whatever follows: "all brokers are down" is less specific.
            wait_until(lambda: "down" in service.log(), 60, f"{service.name}: the brokers are down as well", 0.2)
            assert "uthentication failed" in not_ready_because(service)
            assert "uthentication failed" in service.status()["last_error"]
        password.write_text("app-password\n")
        for service in pipeline.services():
            service.wait_ready(60)
        grpc_export(pipeline.endpoint, trace_request(spans=5))
        wait_until(lambda: len(receiver.items()) == 5, 60, "the spans, with the new password")
        pipeline.stop()
    finally:
        pipeline.kill()
