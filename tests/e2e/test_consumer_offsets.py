"""Where reading resumes: no record that the log still has is left out, and records that the log has
lost are counted and reported."""
import contextlib

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from harness import progress
from harness.load import Load, Sink, compare
from harness.otlp_receiver import items_of
from harness.pipeline import Pipeline, running
from harness.processes import Service, wait_until
from harness.send import grpc_export, trace_request


def to(sink):
    return {"sink": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": sink.endpoint}}}


@pytest.fixture
def sink(tmp_path):
    with Sink(tmp_path).start() as sink:
        yield sink


def folder(parent, name):
    (parent / name).mkdir()
    return parent / name


def admin_of(brokers):
    return AdminClient({"bootstrap.servers": brokers})


def await_all(admin, futures):
    """`admin` must outlive its futures."""
    for future in futures.values():
        future.result(30)
    del admin


def lag(consumer):
    """The sum over the consumer's partitions; raises ValueError while one of them is unknown."""
    lags = [p["lag_messages"] for p in consumer.status()["partitions"]]
    if not lags or None in lags:
        raise ValueError(f"lag unknown: {lags}")
    return sum(lags)


def unclean_pipeline(kafka3, sink, tmp_path):
    """Traces on brokers 2 and 3 alone; either may lead with less than the other had."""
    pipeline = Pipeline(tmp_path, kafka3.brokers, to(sink), bridge={"create_topics": False}, consumer={"create_topics": False})
    admin = admin_of(kafka3.brokers)
    settings = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}
    await_all(admin, admin.create_topics([NewTopic(pipeline.topics["traces"], 2, replica_assignment=[[2, 3], [3, 2]], config=settings)]))
    await_all(admin, admin.create_topics([NewTopic(pipeline.topics[s], 1, 3) for s in ("metrics", "logs")]))
    return pipeline


def elect_uncleanly(kafka3, topic):
    """Broker 3, which is down, leads without what broker 2 has."""
    kafka3.kill9(2)
    kafka3.restart(3)
    wait_until(
        lambda: all(p.leader == 3 for p in kafka3.metadata().topics[topic].partitions.values()),
        60, "broker 3 leads, without what broker 2 had", 0.3,
    )


def log_ends(brokers, topic, partitions, first=0):
    """The sum over the partitions from `first` on; retried, because brokers come and go here."""

    def ends():
        reader = Consumer({"bootstrap.servers": brokers, "group.id": "ends"})
        try:
            return [reader.get_watermark_offsets(TopicPartition(topic, p), timeout=5)[1] for p in range(first, partitions)]
        except KafkaException as error:
            raise OSError(str(error)) from None
        finally:
            reader.close()

    return sum(wait_until(ends, 30, "the ends of the log", 0.3))


def test_unclean_election_while_the_consumer_runs_repeats_nothing_and_counts_what_the_log_lost(kafka3, sink, tmp_path):
    pipeline = unclean_pipeline(kafka3, sink, tmp_path)
    topic, consumer = pipeline.topics["traces"], pipeline.consumers["sink"]
    with running(pipeline):
        before = Load(tmp_path, pipeline.endpoint, 500, 4).start()
        assert before.wait(60) == 0, before.log()
        kafka3.kill9(3)
        more = Load(folder(tmp_path, "more"), pipeline.endpoint, 500, 6).start()
        assert more.wait(90) == 0, more.log()
        wait_until(lambda: compare(sink, more.ledger)["missing"] == 0, 60, "what was written to broker 2 alone", 0.5)
        wait_until(lambda: lag(consumer) == 0, 30, "all of it committed")
        repeated = [compare(sink, load.ledger)["duplicates"] for load in (before, more)]
        end = log_ends(kafka3.brokers, topic, 2)
        elect_uncleanly(kafka3, topic)
        lost = end - log_ends(kafka3.brokers, topic, 2)
        assert lost > 0, "the election was clean"
        new = Load(folder(tmp_path, "new"), pipeline.endpoint, 1000, 12).start()
        assert new.wait(90) == 0, new.log()
        all_delivered(sink, new, 60, consumer)
        wait_until(lambda: lag(consumer) == 0, 30, "lag 0")
        assert [compare(sink, load.ledger)["duplicates"] for load in (before, more)] == repeated, "delivered again"
        assert consumer.status()["lost_records"] == lost
        assert consumer.metric("spanway_kafka_bridge_truncated_records_total") == lost


def test_unclean_election_while_the_consumer_is_down_delivers_all_that_the_log_has(kafka3, sink, tmp_path):
    pipeline = unclean_pipeline(kafka3, sink, tmp_path)
    topic, consumer = pipeline.topics["traces"], pipeline.consumers["sink"]
    with running(pipeline):
        before = Load(tmp_path, pipeline.endpoint, 500, 4).start()
        assert before.wait(60) == 0, before.log()
        kafka3.kill9(3)
        more = Load(folder(tmp_path, "more"), pipeline.endpoint, 500, 6).start()
        assert more.wait(90) == 0, more.log()
        wait_until(lambda: compare(sink, more.ledger)["missing"] == 0, 60, "what was written to broker 2 alone", 0.5)
        wait_until(lambda: lag(consumer) == 0, 30, "all of it committed")
        assert consumer.stop() == 0
        elect_uncleanly(kafka3, topic)
        new = Load(folder(tmp_path, "new"), pipeline.endpoint, 1000, 12).start()
        assert new.wait(90) == 0, new.log()
        consumer.restart()
        consumer.wait_ready()
        result = {}

        def settled():
            result.update(compare(sink, new.ledger))
            return result["missing"] == 0

        try:
            wait_until(settled, 60, "what was acknowledged after the election", 0.5)
        except AssertionError:
            raise AssertionError(f"acknowledged, in the log, not delivered: {result}") from None
        assert result["acknowledged"] > 5_000, result
        wait_until(lambda: lag(consumer) == 0, 30, "lag 0")
        assert consumer.status()["lost_records"] > 0
        assert consumer.metric("spanway_kafka_bridge_truncated_records_total") == consumer.status()["lost_records"]


# --- Where a group begins ---


# It writes to new partitions before the consumer, which is frozen, can notice them.
QUICK_BRIDGE = {"create_topics": False, "producer": {"partition_refresh": "1s"}}


@contextlib.contextmanager
def frozen(*services):
    for service in services:
        service.freeze()
    try:
        yield
    finally:
        for service in services:
            service.thaw()


def await_records(brokers, topic, partitions, first=0):
    wait_until(lambda: log_ends(brokers, topic, partitions, first) > 0, 30, "records in the new partitions", 0.2)


def latest_pipeline(tmp_path, brokers, destination, partitions, **change):
    """Topics of our own making, `partitions` of traces; the group starts from latest."""
    consumer = dict({"start_from": "latest"}, **change)
    pipeline = Pipeline(
        tmp_path, brokers, destination, bridge=QUICK_BRIDGE,
        consumer={"create_topics": False, "consumer": consumer},
    )
    create(brokers, {pipeline.topics["traces"]: partitions, pipeline.topics["metrics"]: 1, pipeline.topics["logs"]: 1})
    return pipeline


def create(brokers, topics):
    admin = admin_of(brokers)
    await_all(admin, admin.create_topics([NewTopic(name, count, 1) for name, count in topics.items()]))


def grow(brokers, topic, partitions):
    admin = admin_of(brokers)
    await_all(admin, admin.create_partitions([NewPartitions(topic, partitions)]))


def all_delivered(sink, load, seconds=60, *members):
    """`members` of the group, and where each of them is when items are missing."""
    result = {}

    def check():
        result.update(compare(sink, load.ledger))
        return result["missing"] == 0

    try:
        wait_until(check, seconds, "all that was acknowledged", 0.5)
    except AssertionError:
        raise AssertionError(f"acknowledged but not delivered: {result}\n" + progress.describe(*members)) from None
    assert result["acknowledged"] > 1_000, result


def has_begun(consumer, partitions=1):
    def check():
        found = consumer.status()["partitions"]
        return len(found) >= partitions and all(p["lag_messages"] is not None for p in found)

    wait_until(check, 30, "partitions assigned")


def test_partitions_that_come_while_the_group_runs_are_read_from_their_beginning(kafka, sink, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, to(sink), 1)
    with running(pipeline):
        has_begun(pipeline.consumers["sink"])
        load = Load(tmp_path, pipeline.endpoint, 300, 25).start()
        with frozen(pipeline.consumers["sink"]):
            grow(kafka.brokers, pipeline.topics["traces"], 6)
            await_records(kafka.brokers, pipeline.topics["traces"], 6, first=1)
        assert load.wait(90) == 0, load.log()
        has_begun(pipeline.consumers["sink"], 6)
        all_delivered(sink, load, 60, pipeline.consumers["sink"])


def test_partitions_that_come_while_the_group_is_down_are_read_from_their_beginning(kafka, sink, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, to(sink), 1)
    with running(pipeline):
        consumer = pipeline.consumers["sink"]
        has_begun(consumer)
        assert consumer.stop() == 0
        grow(kafka.brokers, pipeline.topics["traces"], 8)
        load = Load(tmp_path, pipeline.endpoint, 300, 20).start()
        assert load.wait(90) == 0, load.log()
        consumer.restart()
        consumer.wait_ready()
        all_delivered(sink, load, 60, consumer)


def test_partitions_that_come_between_two_members_are_read_from_their_beginning(kafka, sink, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, to(sink), 2)
    with running(pipeline):
        first = pipeline.consumers["sink"]
        with Service("consumer-second", "spanway-kafka-bridge", first.config, tmp_path).start() as second:
            second.wait_ready()
            wait_until(
                lambda: len(first.status()["partitions"]) == len(second.status()["partitions"]) == 1, 30, "a partition each"
            )
            load = Load(tmp_path, pipeline.endpoint, 300, 25).start()
            with frozen(first, second):
                grow(kafka.brokers, pipeline.topics["traces"], 6)
                await_records(kafka.brokers, pipeline.topics["traces"], 6, first=2)
            assert load.wait(90) == 0, load.log()
            all_delivered(sink, load, 60, first, second)
            assert second.stop() == 0


def test_a_topic_made_after_the_group_is_read_from_its_beginning(kafka, sink, tmp_path):
    pipeline = Pipeline(
        tmp_path, kafka.brokers, to(sink), bridge=QUICK_BRIDGE,
        consumer={"create_topics": False, "consumer": {"start_from": "latest"}},
    )
    create(kafka.brokers, {pipeline.topics["metrics"]: 1, pipeline.topics["logs"]: 1})
    with running(pipeline):
        consumer = pipeline.consumers["sink"]
        wait_until(lambda: any(t["error"] for t in consumer.status()["topics"]), 20, "the missing topic said")
        with frozen(consumer):
            create(kafka.brokers, {pipeline.topics["traces"]: 3})
            load = Load(tmp_path, pipeline.endpoint, 300, 15).start()
            await_records(kafka.brokers, pipeline.topics["traces"], 3)
        assert load.wait(90) == 0, load.log()
        all_delivered(sink, load, 60, consumer)


def test_a_topic_made_while_the_group_is_down_is_read_from_its_beginning(kafka, sink, tmp_path):
    pipeline = Pipeline(
        tmp_path, kafka.brokers, to(sink), bridge={"create_topics": False}, signals=("traces", "logs"),
        consumer={"create_topics": False, "consumer": {"start_from": "latest"}},
    )
    create(kafka.brokers, {pipeline.topics["metrics"]: 1, pipeline.topics["logs"]: 1})
    with running(pipeline):
        consumer = pipeline.consumers["sink"]
        has_begun(consumer)
        assert consumer.stop() == 0
        create(kafka.brokers, {pipeline.topics["traces"]: 3})
        load = Load(tmp_path, pipeline.endpoint, 300, 15).start()
        assert load.wait(90) == 0, load.log()
        consumer.restart()
        consumer.wait_ready()
        all_delivered(sink, load, 60, consumer)


def test_a_topic_deleted_and_made_again_is_read_from_its_beginning(kafka, sink, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, to(sink), 1)
    with running(pipeline):
        consumer, topic = pipeline.consumers["sink"], pipeline.topics["traces"]
        has_begun(consumer)
        before = Load(folder(tmp_path, "before"), pipeline.endpoint, 300, 5).start()
        assert before.wait(60) == 0, before.log()
        all_delivered(sink, before, 60, consumer)
        admin = admin_of(kafka.brokers)
        await_all(admin, admin.delete_topics([topic]))
        wait_until(lambda: topic not in admin.list_topics(timeout=5).topics, 20, "deleted")
        wait_until(lambda: "their topic was deleted" in consumer.log(), 30, "the log names the deletion")
        assert "session timed out" not in consumer.log()
        create(kafka.brokers, {topic: 1})
        load = Load(tmp_path, pipeline.endpoint, 300, 25).start()
        assert load.wait(90) == 0, load.log()
        all_delivered(sink, load, 90, consumer)


def test_a_topic_deleted_and_made_again_while_the_only_signals_group_is_down_is_read_from_its_beginning(kafka, sink, tmp_path):
    """Kafka deletes all offsets of the group with its only topic; what shows that `latest` has held is
    the group's offset on the dead-letter topic."""
    pipeline = latest_pipeline(tmp_path, kafka.brokers, to(sink), 1, signals=["traces"])
    topic = pipeline.topics["traces"]
    create(kafka.brokers, {f"{topic}.dlq": 1})
    with running(pipeline):
        consumer = pipeline.consumers["sink"]
        has_begun(consumer)
        before = Load(folder(tmp_path, "before"), pipeline.endpoint, 300, 5).start()
        assert before.wait(60) == 0, before.log()
        all_delivered(sink, before, 60, consumer)
        assert not any("start_from" in weakness for weakness in consumer.status()["weaknesses"])
        assert consumer.stop() == 0
        admin = admin_of(kafka.brokers)
        await_all(admin, admin.delete_topics([topic]))
        wait_until(lambda: topic not in admin.list_topics(timeout=5).topics, 20, "deleted")
        create(kafka.brokers, {topic: 2})
        load = Load(tmp_path, pipeline.endpoint, 300, 15).start()
        assert load.wait(90) == 0, load.log()
        consumer.restart()
        consumer.wait_ready()
        all_delivered(sink, load, 60, consumer)


def test_a_group_that_cannot_show_that_latest_has_held_says_so(kafka, sink, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, to(sink), 1, signals=["traces"])
    topic = pipeline.topics["traces"]
    with running(pipeline):
        consumer = pipeline.consumers["sink"]
        has_begun(consumer)
        said = f"cannot commit on {topic}.dlq"
        wait_until(lambda: any(said in weakness for weakness in consumer.status()["weaknesses"]), 30, "the weakness")


def test_latest_begins_at_the_end_for_all_members_of_a_new_group(kafka, sink, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, to(sink), 4)
    for service in (pipeline.exporters["sink"], pipeline.bridge, pipeline.ingress):
        service.start().wait_ready()
    try:
        old = Load(folder(tmp_path, "old"), pipeline.endpoint, 300, 5).start()
        assert old.wait(60) == 0, old.log()
        first = pipeline.consumers["sink"]
        with Service("consumer-second", "spanway-kafka-bridge", first.config, tmp_path).start() as second:
            first.start().wait_ready()
            second.wait_ready()
            wait_until(
                lambda: len(first.status()["partitions"]) == len(second.status()["partitions"]) == 2, 30, "two partitions each"
            )
            has_begun(first), has_begun(second)
            load = Load(tmp_path, pipeline.endpoint, 300, 5).start()
            assert load.wait(60) == 0, load.log()
            all_delivered(sink, load, 60, first, second)
            assert compare(sink, old.ledger)["received"] == 0, "a new group that starts from latest delivers nothing old"
            assert second.stop() == 0
        pipeline.stop()
    finally:
        pipeline.kill()


# --- What the log has no more, or has beside records ---


def send_spans(pipeline, count):
    for _ in range(count):
        grpc_export(pipeline.endpoint, trace_request(spans=1))


def test_a_commit_above_the_end_of_the_log_resumes_at_the_end_and_is_counted(kafka, receiver, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, {"otlp": to_otlp(receiver)}, 1, start_from="earliest")
    with running(pipeline):
        consumer = pipeline.consumers["otlp"]
        send_spans(pipeline, 20)
        wait_until(lambda: len(receiver.items()) == 20 and lag(consumer) == 0, 30, "20 spans")
        assert consumer.stop() == 0
        end = log_end(kafka.brokers, pipeline.topics["traces"])
        set_commit(kafka.brokers, "spanway-otlp", pipeline.topics["traces"], end + 1000)
        consumer.restart()
        consumer.wait_ready()
        wait_until(lambda: consumer.status()["lost_records"] == 1000, 20, "the loss said")
        wait_until(lambda: lag(consumer) == 0, 20, "lag 0")
        send_spans(pipeline, 5)
        wait_until(lambda: len(receiver.items()) >= 25, 20, "what came after")
        assert len(receiver.items()) == 25, "nothing is delivered again"
        assert consumer.metric("spanway_kafka_bridge_truncated_records_total") == 1000


def to_otlp(receiver):
    return {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}


def log_end(brokers, topic):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "ends"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
    finally:
        consumer.close()


def set_commit(brokers, group, topic, offset):
    commit = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])
    admin = admin_of(brokers)
    await_all(admin, admin.alter_consumer_group_offsets([commit]))


def test_lag_behind_transaction_markers_is_0(kafka, receiver, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, {"otlp": to_otlp(receiver)}, 1, start_from="earliest")
    with running(pipeline):
        producer = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": pipeline.topics["traces"]})
        producer.init_transactions(20)
        request = trace_request(spans=3)
        for commit in (True, False):
            producer.begin_transaction()
            producer.produce(pipeline.topics["traces"], request.SerializeToString(), partition=0)
            producer.flush(10)
            producer.commit_transaction(20) if commit else producer.abort_transaction(20)
        wait_until(lambda: len(receiver.items()) >= 3, 30, "the spans of the committed transaction")
        wait_until(lambda: lag(pipeline.consumers["otlp"]) == 0, 20, "lag 0 behind the markers")
        assert sorted(receiver.items()) == sorted(items_of(request))


def test_deleted_records_leave_no_lag_and_are_counted(kafka, receiver, tmp_path):
    pipeline = latest_pipeline(tmp_path, kafka.brokers, {"otlp": to_otlp(receiver)}, 1, start_from="earliest")
    with running(pipeline):
        consumer, topic = pipeline.consumers["otlp"], pipeline.topics["traces"]
        send_spans(pipeline, 5)
        wait_until(lambda: len(receiver.items()) == 5 and lag(consumer) == 0, 30, "5 spans")
        assert consumer.stop() == 0
        send_spans(pipeline, 30)
        end = log_end(kafka.brokers, topic)
        admin = admin_of(kafka.brokers)
        await_all(admin, admin.delete_records([TopicPartition(topic, 0, end)]))
        consumer.restart()
        consumer.wait_ready()
        wait_until(lambda: lag(consumer) == 0, 30, "no lag, although no further record comes")
        assert consumer.status()["lost_records"] == 30
        assert consumer.metric("spanway_kafka_bridge_lost_records_total") == 30
        assert all(p["lag_seconds"] == 0 for p in consumer.status()["partitions"])
