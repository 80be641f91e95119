"""Our .proto files mean the same as the published ones.

Compiles proto/ with protoc and compares every message, field, enum and service with the
descriptors inside the official Python packages, in both directions.
"""

import importlib
import pathlib
import subprocess

import pytest
from google.protobuf import descriptor_pb2

PROTO = pathlib.Path(__file__).resolve().parents[3] / "proto"
# Jaeger publishes no Python package.
FILES = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto") if path.parts[len(PROTO.parts)] != "jaeger")


def describe_enum(enum):
    return {value.name: value.number for value in enum.value}


def default_json_name(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def describe_field(field, oneofs):
    return {
        "number": field.number,
        "type": descriptor_pb2.FieldDescriptorProto.Type.Name(field.type),
        "label": descriptor_pb2.FieldDescriptorProto.Label.Name(field.label),
        "type_name": field.type_name,
        # Generated Python leaves the name out where it is the default one.
        "json_name": field.json_name or default_json_name(field.name),
        "oneof": oneofs[field.oneof_index] if field.HasField("oneof_index") else None,
        "optional": field.proto3_optional,
        "packed": field.options.packed if field.options.HasField("packed") else None,
    }


def describe_message(message, prefix, into):
    name = prefix + message.name
    oneofs = [oneof.name for oneof in message.oneof_decl]
    into[name] = {
        "fields": {field.name: describe_field(field, oneofs) for field in message.field},
        "oneofs": oneofs,
        "reserved": sorted((r.start, r.end) for r in message.reserved_range),
        "reserved_names": sorted(message.reserved_name),
        "map_entry": message.options.map_entry,
    }
    for enum in message.enum_type:
        into[f"{name}.{enum.name}"] = describe_enum(enum)
    for nested in message.nested_type:
        describe_message(nested, name + ".", into)


def describe(file):
    """A file descriptor as plain dictionaries, without comments and language options."""
    things = {}
    for enum in file.enum_type:
        things[enum.name] = describe_enum(enum)
    for message in file.message_type:
        describe_message(message, "", things)
    for service in file.service:
        things[service.name] = {
            method.name: (
                method.input_type,
                method.output_type,
                method.client_streaming,
                method.server_streaming,
            )
            for method in service.method
        }
    return {"package": file.package, "syntax": file.syntax, "things": things}


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    output = tmp_path_factory.mktemp("descriptors") / "spanway.pb"
    subprocess.run(
        ["protoc", f"--proto_path={PROTO}", f"--descriptor_set_out={output}", *FILES], check=True
    )
    files = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes()).file
    return {file.name: describe(file) for file in files}


def published(path):
    module = importlib.import_module(path.removesuffix(".proto").replace("/", ".") + "_pb2")
    serialized = module.DESCRIPTOR.serialized_pb
    return describe(descriptor_pb2.FileDescriptorProto.FromString(serialized))


def test_all_three_signals_are_covered():
    for signal in ("trace", "metrics", "logs"):
        assert f"opentelemetry/proto/collector/{signal}/v1/{signal}_service.proto" in FILES
        assert f"opentelemetry/proto/{signal}/v1/{signal}.proto" in FILES


@pytest.mark.parametrize("path", FILES)
def test_file_means_what_is_published(ours, path):
    theirs = published(path)
    mine = ours[path]
    assert mine["package"] == theirs["package"]
    assert mine["syntax"] == theirs["syntax"]
    assert sorted(mine["things"]) == sorted(theirs["things"])
    for name, thing in theirs["things"].items():
        assert mine["things"][name] == thing, f"{path}: {name}"
