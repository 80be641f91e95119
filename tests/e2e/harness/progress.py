"""How far the members of a consumer group are: what a test reports when items are missing."""
import json

from confluent_kafka import Consumer, KafkaException, TopicPartition


def describe(*members):
    """A line for each partition: the end of its log, the group's commit, and what the member that
    reads it reports; `read by no member` is a stall of the group, lag 0 with items missing is a loss."""
    if not members:
        return ""
    try:
        statuses = {member.name: member.status() for member in members}
        return "\n".join(_lines(members[0].config, statuses))
    except (OSError, ValueError, KafkaException) as error:
        return f"where the group is cannot be found out: {error!r}"


def _lines(config, statuses):
    for name, status in statuses.items():
        yield f"{name}: assignment {json.dumps(status['assignment'])}, last error {status.get('last_error')!r}"
    group = config["consumer"].get("group", "spanway-" + config["consumer"]["destination"])
    reader = Consumer({"bootstrap.servers": ",".join(config["kafka"]["brokers"]), "group.id": group})
    try:
        for signal in config["consumer"]["signals"]:
            topic = config["kafka"]["topics"][signal]
            count = len(reader.list_topics(topic, timeout=10).topics[topic].partitions)
            for commit in reader.committed([TopicPartition(topic, p) for p in range(count)], timeout=10):
                first, end = reader.get_watermark_offsets(commit, timeout=10)
                yield f"{topic}/{commit.partition}: log {first} to {end}, committed {commit.offset}, " + _reader_of(commit, statuses)
    finally:
        reader.close()


def _reader_of(partition, statuses):
    found = [
        f"{name} {json.dumps(p)}"
        for name, status in statuses.items()
        for p in status["partitions"]
        if (p["topic"], p["partition"]) == (partition.topic, partition.partition)
    ]
    return " AND ".join(found) or "read by no member"
