"""Samples between a Prometheus and OTLP: what it has scraped, as the metrics that a collector would make of them, and
plain samples under their names."""
import collections

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from .send import text

NANOS_PER_MS = 1_000_000
REQUEST_BYTES = 1 << 20  # A request ends with the target that passes this; receivers take 4 MiB.
NO_RECORDED_VALUE = 1
OF_TARGET = {"__name__", "job", "instance"}


def raw_samples(url, get, selector, at, seconds):
    """Labels, as sorted pairs -> [(ms, value)]: all samples of the `seconds` before `at`."""
    data = get(url, "/api/v1/query", query=f"{selector}[{seconds}s]", time=at)
    return {
        tuple(sorted(series["metric"].items())): [(round(float(time) * 1000), float(value)) for time, value in series["values"]]
        for series in data["result"]
    }


def with_gaps(families):
    """(labels, [(ms, value)]) with the value None at the first scrape of the target that a series was not in: there
    Prometheus ends it."""
    times = sorted({time for series in families.values() for _, values in series for time, _ in values})
    following = dict(zip(times, times[1:]))
    for series in families.values():
        for _, values in series:
            have = {time for time, _ in values}
            values += [(following[time], None) for time in have if following.get(time, time) not in have]
            values.sort(key=lambda sample: sample[0])


def add_point(points, time_ms, labels, left_out, ends, **values):
    point = points.add(time_unix_nano=time_ms * NANOS_PER_MS, **({"flags": NO_RECORDED_VALUE} if ends else values))
    attributes(point, labels, left_out)


def attributes(point, labels, left_out):
    for key, value in labels.items():
        if key not in left_out:
            point.attributes.append(text(key, value))


def as_scraped(samples, kinds):
    """Requests of few megabytes. `kinds`: name of a family -> counter, gauge or histogram."""
    targets = collections.defaultdict(lambda: collections.defaultdict(list))
    for labels, values in samples.items():
        labels = dict(labels)
        name = labels["__name__"]
        family = next((name.removesuffix(end) for end in ("_bucket", "_sum", "_count") if kinds.get(name.removesuffix(end)) == "histogram"), name)
        targets[labels["job"], labels["instance"]][family].append((labels, values))
    request = ExportMetricsServiceRequest()
    for (job, instance), families in targets.items():
        if request.ByteSize() > REQUEST_BYTES:
            yield request
            request = ExportMetricsServiceRequest()
        outer = request.resource_metrics.add()
        outer.resource.attributes.extend([text("service.name", job), text("service.instance.id", instance)])
        scope = outer.scope_metrics.add()
        with_gaps(families)
        for family, series in families.items():
            metric = scope.metrics.add(name=family)
            {"counter": add_numbers, "gauge": add_numbers, "histogram": add_histograms}[kinds[family]](metric, series, kinds[family])
    yield request


def add_numbers(metric, series, kind):
    target = metric.gauge
    if kind == "counter":
        target = metric.sum
        target.aggregation_temporality, target.is_monotonic = 2, True
    for labels, values in series:
        for time_ms, value in values:
            add_point(target.data_points, time_ms, labels, OF_TARGET, value is None, as_double=value)


def add_histograms(metric, series, _):
    metric.histogram.aggregation_temporality = 2
    points = collections.defaultdict(dict)
    for labels, values in series:
        own = tuple(sorted((key, value) for key, value in labels.items() if key not in OF_TARGET | {"le"}))
        part = float(labels["le"]) if "le" in labels else labels["__name__"].rsplit("_", 1)[1]
        for time_ms, value in values:
            points[own, time_ms][part] = value
    for (own, time_ms), parts in points.items():
        if None in parts.values():
            add_point(metric.histogram.data_points, time_ms, dict(own), (), True)
            continue
        bounds = sorted(part for part in parts if isinstance(part, float))
        assert bounds[-1] == float("inf") and parts[bounds[-1]] == parts["count"], "a scrape is of one moment"
        cumulative = [int(parts[bound]) for bound in bounds]
        counts = [after - before for before, after in zip([0, *cumulative], cumulative)]
        values = {"count": int(parts["count"]), "sum": parts["sum"], "explicit_bounds": bounds[:-1], "bucket_counts": counts}
        add_point(metric.histogram.data_points, time_ms, dict(own), (), False, **values)


def as_gauges(samples):
    """One request: each series as a gauge of its own name, which Prometheus's OTLP receiver keeps as it is."""
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for labels, values in samples.items():
        metric = scope.metrics.add(name=dict(labels)["__name__"])
        for time_ms, value in values:
            attributes(metric.gauge.data_points.add(time_unix_nano=time_ms * NANOS_PER_MS, as_double=value), dict(labels), {"__name__"})
    return request
