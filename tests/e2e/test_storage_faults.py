"""ClickHouse and S3 that run and refuse to store: a full disk, a user that may only read, a password that
is no longer valid. The other destination continues, and everything is stored once when the cause is fixed."""
import errno
import subprocess
import types

import pytest
from harness.fan_out import Ledger, destination, lag, pipeline_to
from harness.parts import S3, ClickHouse, require_built
from harness.pipeline import running
from harness.processes import wait_until

WRITER = {"username": "writer", "password": "spanway"}


class SmallDisk:
    """A file system of 160 MiB."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.is_mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", folder]).returncode == 0

    def fill(self):
        with open(self.folder / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC

    def free(self):
        (self.folder / "ballast").unlink()

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.folder], check=True)


@pytest.fixture
def disk(tmp_path):
    disk = SmallDisk(tmp_path / "disk")
    # Only a file system of its own can be full without filling the machine's.
    if not disk.is_mounted:
        pytest.skip("mounting a tmpfs needs root; the tests of a full disk were not run")
    yield disk
    disk.unmount()


def backends_on(clickhouse_folder, s3_folder):
    require_built("s3")
    return types.SimpleNamespace(clickhouse=ClickHouse(clickhouse_folder), s3=S3(s3_folder, "traces"))


class IssuedKeys:
    """Keys that the S3 server's administrator issues and revokes, in a file of credentials."""

    def __init__(self, server, file):
        self.server, self.file = server, file
        server.environment["USERS"] = "yes"
        server.keys = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}

    def issue(self, user):
        self.server.admin("create-user", "--access", user, "--secret", f"{user}secret", "--role", "user")
        self.server.admin("change-bucket-owner", "--bucket", self.server.bucket, "--owner", user)
        renewed = self.file.with_suffix(".new")
        renewed.write_text(f"[default]\naws_access_key_id = {user}\naws_secret_access_key = {user}secret\n")
        renewed.rename(self.file)

    def revoke(self, user):
        self.server.admin("delete-user", "--access", user)


def check(kafka, folder, backends, victim, breaks, mends, refusal, reason, prepare=lambda: None):
    """`victim` refuses with this kind and reason between `breaks()` and `mends()`."""
    backends.clickhouse.start()
    backends.s3.start()
    prepare()
    pipeline = pipeline_to(
        backends, kafka, folder, {name: destination(backends, name, WRITER if name == "clickhouse" else {}) for name in ("clickhouse", "s3")}
    )
    ledger, other = Ledger(backends), "s3" if victim == "clickhouse" else "clickhouse"
    exporter, consumer = pipeline.exporters[victim], pipeline.consumers[victim]

    def stored(name, when):
        wait_until(lambda: ledger.complete(name), 60, f"everything in {name} {when}", interval=0.5)

    try:
        with running(pipeline):
            ledger.send(pipeline.endpoint)
            for name in (victim, other):
                stored(name, "at first")
            breaks()
            for _ in range(5):
                ledger.send(pipeline.endpoint)
            stored(other, f"while {victim} refuses")
            wait_until(lambda: lag(pipeline.consumers[other]) == 0, 30, f"no lag of {other}", interval=0.2)
            wait_until(lambda: exporter.status()["destination"]["last_error_reason"] == reason, 30, f"{reason} in /statusz", interval=0.2)
            assert exporter.metric("spanway_exporter_refused_batches_total", refusal=refusal) > 0
            assert lag(consumer) > 0
            mends()
            stored(victim, "at the end")
            wait_until(lambda: ledger.rollups() == {}, 30, "rollups equal to their rows", interval=0.5)
            assert consumer.metric("spanway_kafka_bridge_dead_letters_total") == 0
    finally:
        backends.clickhouse.stop()
        backends.s3.stop()


def test_a_full_disk_of_clickhouse(kafka, tmp_path, disk):
    backends = backends_on(disk.folder, tmp_path)
    check(kafka, tmp_path, backends, "clickhouse", disk.fill, disk.free, "transient", "clickhouse_disk_full")


def test_a_full_disk_of_the_s3_server(kafka, tmp_path, disk):
    backends = backends_on(tmp_path, disk.folder)
    check(kafka, tmp_path, backends, "s3", disk.fill, disk.free, "transient", "s3_full")


@pytest.mark.parametrize("change", [{"WRITER_PROFILE": "reader"}, {"PASSWORD": "another"}], ids=["read_only", "password"])
def test_a_user_of_clickhouse_that_may_not_write(kafka, tmp_path, change):
    backends = backends_on(tmp_path, tmp_path)

    def restart(**changes):
        backends.clickhouse.stop()
        backends.clickhouse.start(**changes)

    check(kafka, tmp_path, backends, "clickhouse", lambda: restart(**change), restart, "configuration", "clickhouse_exception")


def test_keys_of_the_s3_server_that_are_revoked_while_it_runs(kafka, tmp_path):
    backends = backends_on(tmp_path, tmp_path)
    keys = IssuedKeys(backends.s3, tmp_path / "credentials")
    revoke, renew = (lambda: keys.revoke("first")), (lambda: keys.issue("second"))
    check(kafka, tmp_path, backends, "s3", revoke, renew, "configuration", "s3_bad_credentials", lambda: keys.issue("first"))
