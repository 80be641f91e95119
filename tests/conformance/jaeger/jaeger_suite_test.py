"""Jaeger's own storage tests, unchanged, against spanway-query in the place of the Jaeger that they start."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BIN = pathlib.Path(os.environ.get("SPANWAY_BIN", ROOT / "build/release/bin"))
# Names at version 1.76.0 (Jaeger 2.13). It skips those of a Jaeger that is started as a process by itself: they write
# dependencies and samplings past its API.
PASSED = {
    *("GetServices", "GetOperations", "GetTrace", "GetTrace/NotFound_error", "GetLargeTrace"),
    *("GetTraceWithDuplicateSpans", "FindTraces"),
}
SEARCHES = 22
SKIPPED = {"GetDependencies", "GetThroughput", "GetLatestProbability"}
SECONDS_MAX = 240
# Its ports are fixed: those of another network.
OWN_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def suite():
    script = ROOT / "tests/parts/jaeger.sh"
    is_built = subprocess.run([script, "suite-cached"], stdin=subprocess.DEVNULL).returncode == 0
    if not is_built and "PARTS_DEADLINE" in os.environ:
        pytest.skip("jaeger: its tests take minutes to build; `make conformance` builds them into the cache")
    done = subprocess.run([script, "suite"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"jaeger: its tests cannot be built: {done.stderr.strip()[-300:]}")
    return pathlib.Path(done.stdout.strip())


@pytest.fixture
def jaeger_folder(tmp_path):
    """The part of Jaeger's module that its tests read, with as_jaeger.py as its binary."""
    built = suite()
    if subprocess.run([*OWN_NETWORK, "true"], stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
        pytest.skip("jaeger: its ports are fixed, and a network of its own needs root")
    tests = tmp_path / "cmd/jaeger/internal/integration"
    tests.mkdir(parents=True)
    shutil.copy(built / "config.yaml", tmp_path / "cmd/jaeger")
    os.symlink(built / "integration.test", tests / "integration.test")
    # The tests start it without an environment.
    command = [sys.executable, HERE / "as_jaeger.py", BIN / "spanway-query", tmp_path]
    binary = tmp_path / "cmd/jaeger/jaeger"
    binary.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
    binary.chmod(0o755)
    return tests


def test_every_storage_test_of_jaeger_passes(jaeger_folder):
    done = subprocess.run(
        [*OWN_NETWORK, "./integration.test", "-test.v", "-test.run", "^TestMemoryStorage$", f"-test.timeout={SECONDS_MAX}s"],
        cwd=jaeger_folder,
        env=dict(os.environ, STORAGE="memory_v2"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    results = re.findall(r"^ *--- (PASS|FAIL|SKIP): TestMemoryStorage/(\S+)", done.stdout, re.MULTILINE)
    by_result = {word: {name for result, name in results if result == word} for word in ("PASS", "FAIL", "SKIP")}
    assert done.returncode == 0 and not by_result["FAIL"], done.stdout[-20_000:]
    searches = {name for name in by_result["PASS"] if name.startswith("FindTraces/")}
    assert len(searches) == SEARCHES
    assert by_result["PASS"] - searches == PASSED
    assert by_result["SKIP"] == SKIPPED
