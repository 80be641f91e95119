"""The faults: each takes the chain, a random.Random and a function that waits, and puts right what it
broke before it returns. What it finds wrong goes into the list that it returns."""
import os
import signal

import grpc
from backend import POISON
from chain import REFUSED_TENANT
from confluent_kafka.admin import AdminClient, NewPartitions
from harness.processes import wait_until
from harness.send import grpc_export, trace_request

PARTITIONS_MAX = 24
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def grow_topic(chain, random, wait):
    topic = chain.pipeline.topics[random.choice(("traces", "logs"))]
    count = len(chain.kafka.metadata().topics[topic].partitions)
    more = min(count + random.randint(1, 3), PARTITIONS_MAX)
    if more > count:
        admin = AdminClient({"bootstrap.servers": chain.kafka.brokers})
        admin.create_partitions([NewPartitions(topic, more)])[topic].result(30)
    return []


def join_and_leave(chain, random, wait):
    chain.second.start().wait_ready(60)
    wait(random.uniform(5, 20))
    if random.random() < 0.5:
        chain.second.kill9()
        return []
    return ended(chain.second)


def ended(service):
    code = service.stop(60)
    return [] if code == 0 else [f"{service.name} ended with {code} after SIGTERM"]


def some_service(chain, random):
    return random.choice(chain.pipeline.services())


def kill_service(chain, random, wait):
    service = some_service(chain, random)
    service.kill9()
    wait(random.uniform(0, 3))
    service.restart().wait_ready(60)
    return []


def restart_service(chain, random, wait):
    service = some_service(chain, random)
    found = ended(service)
    service.restart().wait_ready(60)
    return found


def kill_broker(chain, random, wait):
    node = random.choice(chain.kafka.NODES)
    chain.kafka.kill9(node)
    wait(random.uniform(1, 20))
    chain.kafka.heal()
    return []


def freeze_broker(chain, random, wait):
    node = random.choice(chain.kafka.NODES)
    chain.kafka.signal(node, signal.SIGSTOP)
    try:
        wait(random.uniform(1, 20))
    finally:
        chain.kafka.heal()
    return []


def moved_on(chain, what, seconds=60):
    """The good traffic that is left must keep arriving."""
    before = chain.backend.taken("traces", "")
    try:
        wait_until(lambda: chain.backend.taken("traces", "") > before + 5 or not chain.loads[0].alive(), seconds, what, 0.5)
    except AssertionError:
        return [f"{what}: traces of other tenants did not arrive for {seconds} s"]
    return []


def refuse_tenant(chain, random, wait):
    chain.backend.refused_tenants = {REFUSED_TENANT}
    try:
        wait(random.uniform(10, 30))
        return moved_on(chain, "while one tenant was refused")
    finally:
        chain.backend.refused_tenants = set()


def miss_signal(chain, random, wait):
    chain.backend.missing_signals = {"logs"}
    try:
        wait(random.uniform(10, 30))
        return moved_on(chain, "while logs were refused")
    finally:
        chain.backend.missing_signals = set()


def slow_backend(chain, random, wait):
    chain.backend.delay = random.uniform(0.1, 2)
    try:
        wait(random.uniform(5, 20))
    finally:
        chain.backend.delay = 0.0
    return []


def poison(chain, random, wait):
    """Counts what it has sent in `chain.poisoned`: the spans' names, each its own."""
    request = trace_request(spans=random.randint(1, 20))
    spans = request.resource_spans[0].scope_spans[0].spans
    name = f"{POISON.decode()}-{os.urandom(8).hex()}"
    random.choice(spans).name = name

    def sent():
        try:
            grpc_export(chain.pipeline.endpoint, request)
            return True
        except grpc.RpcError:
            return False  # Refused for now: the same again, as an SDK would.

    wait_until(sent, 120, "the poisoned request is taken", 1)
    chain.poisoned.append(name)
    return []


def compress(chain, random, wait):
    chain.set_compression(random.choice(CODECS))
    found = ended(chain.pipeline.bridge)
    chain.pipeline.bridge.restart().wait_ready(60)
    return found


ALL = (grow_topic, join_and_leave, kill_service, kill_service, restart_service, kill_broker, freeze_broker,
       refuse_tenant, miss_signal, slow_backend, poison, poison, compress)
# Which may run while another one does: those that touch no process.
BESIDE = (grow_topic, refuse_tenant, miss_signal, slow_backend, poison)
