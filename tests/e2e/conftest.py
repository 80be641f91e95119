import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import promises  # noqa: E402
from harness.otlp_receiver import OtlpReceiver  # noqa: E402
from harness.parts import Jaeger, Kafka, Kafka3, Loki, Zipkin  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    promises.begin()


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Fails a test that passed although a service of it broke a promise (harness/promises.py)."""
    outcome = yield
    broken = promises.broken()
    if broken and outcome.excinfo is None:
        outcome.force_exception(AssertionError("\n".join(broken)))


def _part(request, tmp_path_factory, make):
    folder = tmp_path_factory.mktemp("part")
    part = make(folder)
    request.addfinalizer(lambda: (part.stop(), shutil.rmtree(folder, ignore_errors=True)))
    return part.start()


@pytest.fixture(scope="session")
def kafka(request, tmp_path_factory):
    return _part(request, tmp_path_factory, Kafka)


@pytest.fixture(scope="session")
def secure_kafka(request, tmp_path_factory):
    return _part(request, tmp_path_factory, lambda folder: Kafka(folder, secure=True))


@pytest.fixture(scope="module")
def kafka3_cluster(request, tmp_path_factory):
    return _part(request, tmp_path_factory, Kafka3)


@pytest.fixture
def kafka3(kafka3_cluster):
    """Three brokers, all of them up when the test begins, whatever the one before did to them."""
    kafka3_cluster.heal()
    return kafka3_cluster


@pytest.fixture(scope="session")
def zipkin(request, tmp_path_factory):
    return _part(request, tmp_path_factory, Zipkin)


@pytest.fixture(scope="session")
def jaeger(request, tmp_path_factory):
    return _part(request, tmp_path_factory, Jaeger)


@pytest.fixture
def receiver():
    receiver = OtlpReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def loki(request, tmp_path_factory):
    limits = "reject_old_samples: false, per_stream_rate_limit: 256KB, per_stream_rate_limit_burst: 1MB, shard_streams: {enabled: false}, max_entries_limit_per_query: 10000"
    return _part(request, tmp_path_factory, lambda folder: Loki(folder, limits))
