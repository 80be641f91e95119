"""A client of Jaeger's gRPC API v3, by the official grpcio and proto/jaeger."""
import pathlib
import subprocess
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = pathlib.Path(__file__).resolve().parents[3] / "proto"
FILE = "jaeger/api_v3/query_service.proto"


def _load():
    """The service and the classes of its messages, by their full names."""
    with tempfile.NamedTemporaryFile() as output:
        subprocess.run(
            ["protoc", f"--proto_path={PROTO}", "--include_imports", f"--descriptor_set_out={output.name}", FILE], check=True
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(output.read()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.AddSerializedFile(file.SerializeToString())
    classes = message_factory.GetMessageClassesForFiles([file.name for file in files], pool)
    return pool.FindServiceByName("jaeger.api_v3.QueryService"), classes


class JaegerApi:
    """Leaving a `with` block closes the connection."""

    def __init__(self, port):
        self.service, self.classes = _load()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def begin(self, method, timeout=20, **request):
        """The call: an iterator of messages, for every method."""
        described = self.service.methods_by_name[method]
        send = self.channel.unary_stream(
            f"/{self.service.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.classes[described.output_type.full_name].FromString,
        )
        return send(self.classes[described.input_type.full_name](**request), timeout=timeout)

    def call(self, method, **request):
        return list(self.begin(method, **request))
