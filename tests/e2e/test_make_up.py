"""`make up DEST=...` as a new user runs it, beside whatever runs on this machine: real backends, data read
back by the lines that it prints, and nothing left behind by `make down`."""
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest
from harness.make import PORTS, Run
from harness.parts import require_built
from harness.processes import BIN, ROOT, http_get, wait_until


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    yield run
    run.make("down")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def keys_of(answer):
    return set(re.findall(r'"(\w+)":', answer))


def questions_of_the_readme():
    """(command, its answer), the answer shortened."""
    lines = (ROOT / "README.md").read_text().splitlines()
    found = [(line[6:], answer) for line, answer in zip(lines, lines[1:]) if line.startswith("    $ curl ")]
    languages = {question.rpartition("# ")[2] for question, _ in found}
    assert languages >= {"Jaeger", "PromQL", "LogQL", "TraceQL", "REST"}, languages
    return found


def ask(run, question, answer):
    """The answer has all that the one in the README shows."""
    command = question.replace("127.0.0.1:8081", f"127.0.0.1:{8081 + run.offset}").replace("curl ", "curl -sS --max-time 10 ", 1)

    def answered():
        done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if keys_of(answer) <= keys_of(done.stdout):
            return True
        raise ValueError(done.stdout[:2000] + done.stderr)

    wait_until(answered, 90, question, 0.5)  # A rate needs two samples.


def test_clickhouse_with_a_trace_read_back_and_nothing_left_behind(run):
    trace, logs, samples = run.up("clickhouse")["clickhouse"]
    assert len(json.loads(http_get(trace))["data"][0]["spans"]) > 1
    assert "shop_orders_total" in http_get(samples)
    assert len(http_get(logs).splitlines()) > 1
    for question, answer in questions_of_the_readme():
        ask(run, question, answer)
    code, status = run.make("status")
    assert code == 0 and status.count(" ready ") == 5 and "consumer-clickhouse" in status, status
    # A second one keeps what runs.
    before = sorted(run.pids())
    assert "clickhouse" in run.up("clickhouse")
    assert sorted(run.pids()) == before
    code, output = run.make("down")
    assert code == 0, output
    assert not any(alive(pid) for pid in before)
    assert not any(answers(port + run.offset) for port in PORTS)


def test_memory_without_any_database(run):
    trace, series, *_ = run.up("memory")["memory"]
    assert len(json.loads(http_get(trace))["data"][0]["spans"]) > 1
    assert json.loads(http_get(series))["data"]["result"]
    # Kafka is all that runs besides ours.
    assert [path.parent.name for path in (run.folder / "parts").glob("*/pid")] == ["kafka"]
    before = run.pids()
    assert run.make("down")[0] == 0
    assert not any(alive(pid) for pid in before)


def test_several_destinations_at_once(run):
    for part in ("loki", "prometheus", "s3"):
        require_built(part)
    printed = run.up("s3,loki,prometheus,zipkin")
    assert sorted(printed) == ["loki", "prometheus", "s3", "zipkin"]
    [logs], [series], [trace, *folders] = printed["loki"], printed["prometheus"], printed["s3"]
    streams = json.loads(http_get(logs))["data"]["result"]
    assert sum(len(stream["values"]) for stream in streams) > 0
    assert json.loads(http_get(series))["data"]["result"]
    assert len(json.loads(http_get(trace))["data"][0]["spans"]) > 1
    assert [pathlib.Path(folder).name for folder in folders] == ["logs", "metrics"]
    assert all(any(pathlib.Path(folder).rglob("*.parquet")) for folder in folders)
    # One destination fewer: its services end, the others stay.
    assert sorted(run.up("loki,prometheus")) == ["loki", "prometheus"]
    services = {path.name for path in (run.folder / "pid").iterdir()}
    assert {"exporter-loki", "consumer-prometheus"} < services and "exporter-s3" not in services
    before = run.pids()
    assert run.make("down")[0] == 0
    assert not any(alive(pid) for pid in before)


def check_config(program, text, folder):
    config = folder / "config.yaml"
    config.write_text(text)
    command = [BIN / program, "--config", config, "--check-config"]
    keys = {"CLICKHOUSE_PASSWORD": "p", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    done = subprocess.run(command, env=os.environ | keys, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"


def test_the_examples_of_the_readme_are_valid(tmp_path):
    readme = (ROOT / "README.md").read_text()
    examples = [line for line in readme.splitlines() if line.startswith("destination: {type: ")]
    assert len(examples) >= 9
    for example in examples:
        check_config("spanway-exporter", example, tmp_path)
    stores = readme.split("# query.yaml: one of\n")[1].split("```")[0].split("---\n")
    assert len(stores) == 3
    for example in stores:
        check_config("spanway-query", example, tmp_path)


@pytest.mark.parametrize(
    "destinations, problem",
    [
        ("nonsense", "DEST has 'nonsense'; use one of clickhouse, jaeger, loki, memory, prometheus, s3, zipkin, or several"),
        ("zipkin,", "DEST has ''; use one of"),
        ("zipkin,zipkin", "names a destination twice"),
    ],
)
def test_a_wrong_destination_is_named_and_nothing_is_started(run, destinations, problem):
    code, output = run.make("up", f"DEST={destinations}")
    assert code != 0
    assert problem in output
    assert not run.folder.exists()
