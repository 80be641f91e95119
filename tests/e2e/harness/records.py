"""The records of a topic, read to the end that it has."""
import time

from confluent_kafka import Consumer, TopicPartition


def records_of(brokers, topic, seconds=60):
    """All that the topic has when this begins."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"test-{time.time_ns()}"})
    known = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    partitions = [TopicPartition(topic, number, 0) for number in known]
    ends = {part.partition: consumer.get_watermark_offsets(part, timeout=20)[1] for part in partitions}
    consumer.assign(partitions)
    found, deadline = [], time.monotonic() + seconds
    while len(found) < sum(ends.values()) and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None and message.offset() < ends[message.partition()]:
            found.append(message)
    consumer.close()
    return found
