"""S3 as a destination, of the real binaries against a real server."""
import itertools
import os

from harness.processes import Service, free_port

_numbers = itertools.count(1)
KEYS = {"AWS_ACCESS_KEY_ID": "testkey", "AWS_SECRET_ACCESS_KEY": "testsecret"}


def exporter(folder, destination):
    listen = {"host": "127.0.0.1", "grpc": {"port": free_port()}}
    return Service(f"exporter-{next(_numbers)}", "spanway-exporter", {"otlp": listen, "destination": destination}, folder, environment=KEYS)


def maps_arrow(service):
    with open(f"/proc/{service.process.pid}/maps") as maps:
        return "libarrow" in maps.read()


def test_an_exporter_loads_arrow_only_for_s3(tmp_path):
    section = {"bucket": "traces", "endpoint": f"http://127.0.0.1:{free_port()}", "path_style": True}
    for destination, needs_arrow in (({"type": "debug"}, False), ({"type": "s3", "s3": section}, True)):
        service = exporter(tmp_path, destination)
        service.start().wait_ready()
        assert maps_arrow(service) == needs_arrow
        service.stop()
