"""The real servers, through tests/parts."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
import requests
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from .ports import free_port, free_ports
from .processes import ROOT, http_get, wait_until

PARTS = ROOT / "tests/parts"


def run_part(script, *arguments, **environment):
    env = dict(os.environ, **{key: str(value) for key, value in environment.items()})
    done = subprocess.run(
        [PARTS / f"{script}.sh", *arguments], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, f"{script}.sh {' '.join(arguments)} failed"
    return done.stdout.strip()


def require_built(script):
    """Waits for a part that is being built in the background; skips, saying so, when time is up."""
    deadline = int(os.environ.get("PARTS_DEADLINE", time.time() + 1800)) - 900
    while True:
        done = subprocess.run([PARTS / f"{script}.sh", "cached"], stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            return
        if time.time() > deadline:
            pytest.skip(f"{script} was not built in the time there is; tests/parts/{script}.sh builds it into the cache")
        time.sleep(2)


PORTS_OF_A_BROKER = 6  # Plain text, further listeners, the controller's: see kafka.sh.


def kill9(pid_file):
    """Returns when the process is dead: a new one may take its files and ports."""
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGKILL)

    def is_dead():
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    wait_until(is_dead, 20, f"the end of process {pid}")


class Kafka:
    def __init__(self, folder, secure=False, properties=""):
        """`properties`: further lines of server.properties."""
        self.folder, self.secure = pathlib.Path(folder), secure
        self.port = free_ports(PORTS_OF_A_BROKER)
        self.environment = {"ROOT": self.folder, "PORT": self.port, "NAME": "kafka", "PROPERTIES": properties}
        self.brokers = f"127.0.0.1:{self.port}"
        self.tls = self.folder / "kafka/tls"

    def start(self):
        run_part("kafka", "start-secure" if self.secure else "start", **self.environment)
        return self

    def stop(self):
        run_part("kafka", "stop", **self.environment)

    def pid(self):
        return int(run_part("kafka", "pid", **self.environment))

    def kill9(self):
        run_part("kafka", "kill9", **self.environment)

    def signal(self, number):
        os.kill(self.pid(), number)

    def tool(self, *arguments):
        return run_part("kafka", "tool", *arguments, **self.environment)


class Kafka3:
    """Three brokers, replication 3, min.insync.replicas 2. Nodes are called 1, 2 and 3.

    Each test has topics and groups of its own; one that takes nodes down brings them back with
    `heal()`. `properties`: further lines of server.properties.
    """

    NODES = (1, 2, 3)

    def __init__(self, folder, properties=""):
        self.folder = pathlib.Path(folder)
        self.ports = [free_ports(PORTS_OF_A_BROKER) for _ in self.NODES]
        self.environment = {
            "ROOT": self.folder,
            "NAME": "kafka3",
            "PORTS": " ".join(map(str, self.ports)),
            "HEAP": "384m",
            "PROPERTIES": properties,
        }
        self.addresses = [f"127.0.0.1:{port}" for port in self.ports]
        self.brokers = ",".join(self.addresses)  # A list where a configuration wants one: `addresses`.

    def _run(self, *arguments):
        return run_part("kafka", *arguments, **self.environment)

    def start(self):
        self._run("start3")
        return self

    def stop(self, node=None):
        """SIGTERM; without `node`, all three."""
        self._run("stop", *([] if node is None else [str(node)]))

    def kill9(self, node):
        self._run("kill9", str(node))

    def restart(self, node):
        """Starts a node that was stopped or killed, with its data, and waits until it serves."""
        self._run("restart", str(node))

    def pid(self, node):
        return int(self._run("pid", str(node)))

    def signal(self, node, number):
        """E.g. SIGSTOP and SIGCONT."""
        os.kill(self.pid(node), number)

    def is_up(self, node):
        try:
            pid = self.pid_file(node).read_text().strip()
            return "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return False

    def pid_file(self, node):
        return self.folder / f"kafka3/{node}/pid"

    def log(self, node):
        return (self.folder / f"kafka3/{node}/out.log").read_text(errors="replace")

    def heal(self):
        """Every node runs again (also one that was frozen) and every partition has all its replicas."""
        for node in self.NODES:
            if self.is_up(node):
                self.signal(node, signal.SIGCONT)
            else:
                self.restart(node)

        def complete():
            topics = self.metadata().topics.values()
            return all(len(p.isrs) == len(p.replicas) and p.leader > 0 for t in topics for p in t.partitions.values())

        wait_until(complete, 60, "all replicas in sync", 0.3)

    def metadata(self):
        """The cluster as the brokers report it now: `.topics[name].partitions[n]` has `.leader`, `.replicas`, `.isrs`."""
        try:
            return AdminClient({"bootstrap.servers": self.brokers, "log_level": 0}).list_topics(timeout=5)
        except KafkaException as error:
            raise OSError(str(error)) from None

    def tool(self, *arguments):
        return self._run("tool", *arguments)


class Zipkin:
    def __init__(self, folder):
        self.port = free_port()
        self.environment = {"ROOT": folder, "PORT": self.port}
        self.pid_file = pathlib.Path(folder) / "zipkin/pid"
        self.endpoint = f"http://127.0.0.1:{self.port}/api/v2/spans"

    def start(self):
        run_part("zipkin", "start", **self.environment)
        return self

    def stop(self):
        run_part("zipkin", "stop", **self.environment)

    def signal(self, number):
        os.kill(int(self.pid_file.read_text()), number)

    def trace(self, trace_id, spans, seconds=30):
        def fetch():
            found = json.loads(http_get(f"http://127.0.0.1:{self.port}/api/v2/trace/{trace_id}"))
            return found if len(found) >= spans else None

        return wait_until(fetch, seconds, f"trace {trace_id} with {spans} spans in Zipkin", 0.2)

    def has(self, trace_id):
        return requests.get(f"http://127.0.0.1:{self.port}/api/v2/trace/{trace_id}", timeout=10).status_code == 200


class Jaeger:
    def __init__(self, folder):
        require_built("jaeger")
        self.otlp_port, self.http_port = free_port(), free_port()
        self.query_port, self.grpc_port, self.health_port = free_port(), free_port(), free_port()
        self.environment = {
            "ROOT": folder,
            "OTLP_GRPC_PORT": self.otlp_port,
            "OTLP_HTTP_PORT": self.http_port,
            "QUERY_PORT": self.query_port,
            "QUERY_GRPC_PORT": self.grpc_port,
            "HEALTH_PORT": self.health_port,
        }
        self.endpoint = f"127.0.0.1:{self.otlp_port}"

    def start(self):
        run_part("jaeger", "start", **self.environment)
        return self

    def stop(self):
        run_part("jaeger", "stop", **self.environment)

    def trace(self, trace_id, spans, seconds=30):
        """The trace as OTLP/JSON resource spans, from the v3 API."""

        def fetch():
            text = http_get(f"http://127.0.0.1:{self.query_port}/api/v3/traces/{trace_id}")
            resource_spans = json.loads(text)["result"]["resourceSpans"]
            count = sum(len(s["spans"]) for r in resource_spans for s in r["scopeSpans"])
            return resource_spans if count >= spans else None

        return wait_until(fetch, seconds, f"trace {trace_id} with {spans} spans in Jaeger", 0.2)


class Loki:
    """`limits`: further keys of Loki's limits_config, as YAML inside braces. A request needs a tenant."""

    def __init__(self, folder, limits=""):
        self.port = free_ports(2)  # gRPC takes the next one.
        self.environment = {"ROOT": folder, "PORT": self.port, "NAME": "loki", "LIMITS": limits, "AUTH": "true"}
        self.pid_file = pathlib.Path(folder) / "loki/pid"
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        require_built("loki")
        run_part("loki", "start", **self.environment)
        return self

    def stop(self):
        run_part("loki", "stop", **self.environment)

    def signal(self, number):
        os.kill(int(self.pid_file.read_text()), number)

    def entries(self, query, tenant, hours=24):
        """[(stream labels, timestamp in ns, line, structured metadata)], in the order of Loki's answer."""
        now = time.time_ns()
        answer = requests.get(
            f"{self.url}/loki/api/v1/query_range",
            params={"query": query, "start": now - hours * 3600 * 10**9, "end": now + 60 * 10**9, "limit": 5000},
            headers={"x-scope-orgid": tenant, "x-loki-response-encoding-flags": "categorize-labels"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return [
            (stream["stream"], int(time_ns), line, rest[0].get("structuredMetadata", {}) if rest else {})
            for stream in answer.json()["data"]["result"]
            for time_ns, line, *rest in stream["values"]
        ]


class ClickHouse:
    def __init__(self, folder):
        self.port = free_port()
        self.environment = {"ROOT": folder, "PORT": self.port, "TCP_PORT": free_port()}
        self.pid_file = pathlib.Path(folder) / "clickhouse/pid"
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, **changes):
        run_part("clickhouse", "start", **(self.environment | changes))
        return self

    def kill9(self):
        kill9(self.pid_file)

    def stop(self):
        run_part("clickhouse", "stop", **self.environment)

    def signal(self, number):
        os.kill(int(self.pid_file.read_text()), number)

    def select(self, query):
        """Rows as lists of texts."""
        answer = requests.post(self.url, data=f"{query} FORMAT TSV", timeout=30)
        assert answer.status_code == 200, answer.text
        return [line.split("\t") for line in answer.text.splitlines()]

    def execute(self, statement, timeout=30):
        answer = requests.post(self.url, data=statement, timeout=timeout)
        assert answer.status_code == 200, answer.text


class S3:
    """versitygw with one bucket; READONLY is a change to the environment of a restart. `keys` is the environment of
    its clients."""

    ACCESS_KEY, SECRET_KEY = "testkey", "testsecret"

    def __init__(self, folder, bucket):
        self.port, self.bucket = free_port(), bucket
        self.environment = {"ROOT": folder, "NAME": "s3", "PORT": self.port, "ACCESS_KEY": self.ACCESS_KEY, "SECRET_KEY": self.SECRET_KEY}
        self.data = pathlib.Path(folder) / "s3"
        self.pid_file = self.data / "pid"
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = {"AWS_ACCESS_KEY_ID": self.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": self.SECRET_KEY}

    def start(self, **changes):
        require_built("s3")
        run_part("s3", "start", **(self.environment | changes))
        (self.data / "data" / self.bucket).mkdir(exist_ok=True)
        return self

    def stop(self):
        run_part("s3", "stop", **self.environment)

    def admin(self, *arguments):
        """Needs USERS in `environment`."""
        run_part("s3", "admin", *arguments, **self.environment)

    def kill9(self):
        kill9(self.pid_file)

    def signal(self, number):
        os.kill(int(self.pid_file.read_text()), number)


def promtool():
    """Prometheus's command-line client. Tests do not build it: a minute of two cores."""
    if subprocess.run([PARTS / "prometheus.sh", "promtool-cached"], stdin=subprocess.DEVNULL).returncode != 0:
        pytest.skip("promtool is not built; tests/parts/prometheus.sh promtool builds it into the cache")
    return run_part("prometheus", "promtool")


class Prometheus:
    """`window`: out_of_order_time_window; `otlp`: YAML of its section; `arguments`: more flags."""

    def __init__(self, folder, name="prometheus", window="30m", otlp="{}", arguments=""):
        require_built("prometheus")
        self.port = free_port()
        self.environment = {"ROOT": folder, "NAME": name, "PORT": self.port, "WINDOW": window, "OTLP": otlp, "ARGS": arguments}
        self.pid_file = pathlib.Path(folder) / name / "pid"
        self.url = f"http://127.0.0.1:{self.port}"
        self.write_url = f"{self.url}/api/v1/write"

    def scrape(self, configs):
        """Its scrape_configs, from the next start on."""
        self.environment["SCRAPE"] = json.dumps(configs)

    def start(self):
        run_part("prometheus", "start", **self.environment)
        return self

    def stop(self):
        run_part("prometheus", "stop", **self.environment)

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def signal(self, number):
        os.kill(int(self.pid_file.read_text()), number)

    def get(self, path, **parameters):
        answer = requests.get(self.url + path, params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def samples(self, now, selector='{__name__=~".+"}', minutes=40):
        """All raw samples of all series, by labels: (values, histograms)."""
        data = self.get("/api/v1/query", query=f"{selector}[{minutes}m]", time=now + 60)
        return {
            tuple(sorted(series["metric"].items())): (series.get("values"), series.get("histograms"))
            for series in data["result"]
        }
