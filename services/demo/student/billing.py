"""Logs each bill of the topic student-billing. billing.py BROKER

Not a line of telemetry in here: `opentelemetry-instrument python billing.py` adds the span of each message,
and the parent of it comes from the message's header `traceparent`.
"""
import json
import signal
import sys

from kafka import KafkaConsumer

TOPIC = "student-billing"
POLL_MS = 500


def run(broker):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    # An iteration ends after POLL_MS without a message.
    consumer = KafkaConsumer(bootstrap_servers=broker, group_id=TOPIC, auto_offset_reset="earliest", consumer_timeout_ms=POLL_MS)
    consumer.subscribe([TOPIC])
    while not stopping:
        for message in consumer:
            bill = json.loads(message.value)
            print(f"student {bill['id']}, {bill['firstname']} {bill['lastname']}: {bill['fees']} EUR are due", flush=True)
            if stopping:
                break
    consumer.close()


if __name__ == "__main__":
    run(sys.argv[1])
