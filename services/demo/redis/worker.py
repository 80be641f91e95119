"""Says hello for each message that the server publishes. worker.py REDIS_PORT"""
import json
import signal
import sys

import redis
import tracing
from opentelemetry import propagate
from opentelemetry.trace import SpanKind

CHANNEL = "hello"
POLL_SECONDS = 0.5


def handle(tracer, message):
    parent = propagate.extract(message)
    with tracer.start_as_current_span(f"process {CHANNEL}", context=parent, kind=SpanKind.CONSUMER) as span:
        span.set_attributes({"messaging.system": "redis", "messaging.destination.name": CHANNEL, "hello.name": message["name"]})
        print(f"hello {message['name']}", flush=True)


def run(tracer, redis_port):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    with redis.Redis(port=redis_port).pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(CHANNEL)
        print("subscribed", flush=True)
        while not stopping:
            received = channel.get_message(timeout=POLL_SECONDS)
            if received:
                handle(tracer, json.loads(received["data"]))


if __name__ == "__main__":
    TRACER, stop_tracing = tracing.start("demo-worker")
    run(TRACER, int(sys.argv[1]))
    stop_tracing()
