"""The invariants of every service that a test has started, whatever the test is about.

A service is observed right before it ends (`Service.stop`, `Service.kill9`) and, if it still runs,
when the test function has returned. `broken()` says what did not hold:

- `spanway_bugs_total` is 0;
- of the items that a consuming bridge has read, each is delivered, rejected by the destination,
  dead-lettered, released to the next reading or in flight (`items` in /statusz, of one moment);
- the most memory that the process ever held (VmHWM) is not above its `memory_limit`;
- of a pipeline that ran through and is idle, the counters agree, and the consuming bridge
  has settled no less than the producing one has written (`check_sums`, before the pipeline is
  stopped). Inside the services the sums of each batch and of each second are bug counters of their
  own.
"""
import re
import time

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

# Records whose items are not counted: nothing can be said about the sum then.
UNCOUNTED = ("spanway_kafka_bridge_lost_records_total", "spanway_kafka_bridge_truncated_records_total")
# Where the items of records go that were read and are not in flight.
SETTLED = ("delivered_items", "destination_rejected_items", "dead_letter_items", "released_items")

_services, _found = [], []


def begin():
    """Forgets what has ended; what runs on for several tests is watched on."""
    _services[:] = [service for service in _services if service.alive()]
    _found.clear()


def watch_service(service):
    if service not in _services:
        _services.append(service)


class Observation:
    """One life of a service, as far as it could be observed. `metrics` is None when it did not answer."""

    def __init__(self, name, metrics, status, limit, peak):
        self.name, self.metrics, self.status, self.limit, self.peak = name, metrics, status, limit, peak

    def sum(self, metric, **labels):
        """The sum of all series of `metric` whose labels include `labels`; None when there is none."""
        return sum_of(self.metrics, metric, **labels) if self.metrics is not None else None


def sum_of(text, metric, **labels):
    total = None
    for line in text.splitlines():
        if line.startswith(metric + "{") or line.startswith(metric + " "):
            series, value = line.rsplit(" ", 1)
            if all(f'{key}="{expected}"' in series for key, expected in labels.items()):
                total = (total or 0) + float(value)
    return total


def parse_limit(text):
    """`memory_limit` out of /configz, in bytes; None when it has none."""
    found = re.search(r"^\W*memory_limit\W+(\d+)\s*([KMGT]iB|B)?", text, re.M)
    return int(found[1]) * UNITS[found[2] or "B"] if found else None


def broken_of(observation):
    found = []
    bugs = observation.sum("spanway_bugs_total")
    if bugs:
        found.append(f"{observation.name} counted {bugs:.0f} bugs of its own (spanway_bugs_total)")
    if observation.limit and observation.peak > observation.limit:
        found.append(f"{observation.name} held {observation.peak >> 20} MiB, its memory_limit is {observation.limit >> 20} MiB")
    for items in observation.status.get("items") or []:
        settled = sum(items[key] for key in ("delivered", "rejected", "dead_lettered", "released", "in_flight"))
        if items["read"] != settled:
            found.append(f"{observation.name} has read {items['read']} items of {items['signal']}, {settled} are accounted for: {items}")
    return found


def broken_sums(bridge, consumer):
    """Items that `consumer` was given against those that `bridge` has written; both run. None while something
    waits, or when one side is not known: a service that was restarted has forgotten, a group
    that does not start from the beginning may skip."""
    settings = consumer.config["consumer"]
    if bridge.lives != 1 or consumer.lives != 1 or settings.get("start_from") != "earliest":
        return None
    partitions = consumer.status().get("partitions", [])
    if any(p["lag_messages"] != 0 or p["in_flight"] != 0 for p in partitions):
        return None
    read = consumer.admin("/metrics")
    written, found = bridge.admin("/metrics"), []
    for signal in settings["signals"]:
        consumed = sum_of(read, "spanway_kafka_bridge_consumed_items_total", signal=signal) or 0
        settled = {name: sum_of(read, f"spanway_kafka_bridge_{name}_total", signal=signal) or 0 for name in SETTLED}
        if consumed != sum(settled.values()):
            found.append(f"{signal}: {consumer.name} has read {consumed:.0f} items, nothing is in flight, and of them it counts {settled}")
        if any(sum_of(read, metric) for metric in UNCOUNTED):
            continue
        # Kafka may hold more than was confirmed, and a fault repeats deliveries: never less.
        confirmed = sum_of(written, "spanway_kafka_bridge_written_items_total", signal=signal) or 0
        ended = sum(settled.values()) - settled["released_items"]
        if ended < confirmed:
            found.append(f"{signal}: Kafka confirmed {confirmed:.0f} items, {consumer.name} has settled {ended:.0f}, nothing waits")
    return found


def check_sums(pipeline, seconds=5.0):
    """Called while the services run. Gauges lag behind: only a difference that stays is one."""
    for consumer in pipeline.consumers.values():
        if not all(s.alive() and not s.frozen() for s in (pipeline.bridge, consumer)):
            continue
        deadline, found = time.monotonic() + seconds, None
        while True:
            try:
                found = broken_sums(pipeline.bridge, consumer)
            except (OSError, ValueError):
                found = None
            if not found or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        _found.extend(found or ())


def broken():
    """Observes what still runs; one line for each promise that did not hold."""
    for service in _services:
        if service.alive():
            service.observe()
    return [line for service in _services for o in service.observations for line in broken_of(o)] + _found
