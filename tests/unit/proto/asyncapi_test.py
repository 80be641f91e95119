"""proto/asyncapi.yaml is valid, and its example records are what Spanway reads.

The reference parser checks the document, a JSON schema validator the examples' headers, and our own
scan and JSON writer (tests/tools/otlp_decode) read their payloads.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess

import jsonschema
import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DOCUMENT = ROOT / "proto" / "asyncapi.yaml"
OTLP_DECODE = pathlib.Path(os.environ.get("SPANWAY_BIN", ROOT / "build/release/bin")) / "otlp_decode"
SIGNALS = ("traces", "metrics", "logs")
ERROR, WARNING = 0, 1


@pytest.fixture(scope="module")
def node_modules():
    assert shutil.which("node"), "node is missing; ci/deps/install.sh installs it"
    script = ROOT / "ci" / "deps" / "node.sh"
    output = subprocess.run([script, HERE], check=True, stdout=subprocess.PIPE, text=True).stdout
    return output.splitlines()[-1]


def parse(node_modules, document):
    command = ["node", HERE / "check_asyncapi.cjs", node_modules, document]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)


@pytest.fixture(scope="module")
def parsed(node_modules):
    return parse(node_modules, DOCUMENT)


def examples(document):
    for name, message in document["components"]["messages"].items():
        for example in message["examples"]:
            yield pytest.param(message, example, id=f"{name}-{example['name']}")


RAW = yaml.safe_load(DOCUMENT.read_text())


def test_the_reference_parser_finds_nothing_wrong(parsed):
    findings = [d for d in parsed["diagnostics"] if d["severity"] in (ERROR, WARNING)]
    assert findings == []
    assert parsed["document"] is not None


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("action: send", "action: publish"),
        ("{$ref: '#/channels/logs'}", "{$ref: '#/channels/nothing'}"),
        ("address: otel.traces\n", "adress: otel.traces\n"),
        ("type: object", "type: objekt"),
    ],
)
def test_the_reference_parser_does_find_what_is_wrong(node_modules, tmp_path, right, wrong):
    text = DOCUMENT.read_text()
    assert right in text
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace(right, wrong, 1))
    assert any(d["severity"] == ERROR for d in parse(node_modules, broken)["diagnostics"])


def test_every_signal_has_its_topic_and_its_dead_letters(parsed):
    channels = parsed["document"]["channels"].values()
    topics = {f"otel.{signal}" for signal in SIGNALS}
    assert {c["address"] for c in channels} == topics | {f"{topic}.dlq" for topic in topics}
    for channel in channels:
        (message,) = channel["messages"].values()
        assert channel["address"].split(".")[1] == message["x-signal"]
        dead = channel["address"].endswith(".dlq")
        assert ("spanway-origin" in message["headers"]["required"]) == dead


@pytest.mark.parametrize("signal", SIGNALS)
def test_payloads_name_messages_of_our_proto_files(signal):
    schema = RAW["components"]["schemas"][signal]
    package, _, name = schema["x-protobuf-message"].rpartition(".")
    text = (ROOT / "proto" / schema["x-protobuf-file"]).read_text()
    assert f"package {package};" in text
    assert f"message {name} {{" in text


@pytest.mark.parametrize("message, example", list(examples(RAW)))
def test_example_headers_fit_their_schema(parsed, message, example):
    schema = next(
        m["headers"] for m in parsed["document"]["components"]["messages"].values()
        if m["title"] == message["title"]
    )
    # No header that the schema does not declare.
    jsonschema.validate(example["headers"], {**schema, "additionalProperties": False})


@pytest.mark.parametrize("message, example", list(examples(RAW)))
def test_example_payloads_are_read_by_our_own_code(message, example):
    if not OTLP_DECODE.exists():
        pytest.fail(f"{OTLP_DECODE} is missing: build the target otlp_decode or set SPANWAY_BIN")
    payload = base64.b64decode(example["payload"], validate=True)
    run = subprocess.run([OTLP_DECODE, message["x-signal"]], input=payload, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stderr.startswith(b"accepted 1 rejected 0")
    read = json.loads(run.stdout)
    expected = RAW["components"]["messages"][message["x-signal"]]["x-example-json"]
    assert read == json.loads(expected)
    if "x-example-key" in message:
        assert re.fullmatch("[0-9a-f]{32}", message["x-example-key"])
        assert f'"traceId":"{message["x-example-key"]}"'.encode() in run.stdout


def test_otlp_decode_reports_what_it_cannot_read():
    def run(argument, payload):
        return subprocess.run([OTLP_DECODE, argument], input=payload, capture_output=True)

    assert run("traces", b"\xff").returncode == 2
    assert run("profiles", b"").returncode == 2
    # A span without ids.
    rejected = run("traces", bytes.fromhex("0a 04 12 02 12 00"))
    assert rejected.returncode == 1
    assert rejected.stderr.startswith(b"accepted 0 rejected 1")
