"""Prometheus's own PromQL tests, on series in memory: every evaluation of every file."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("SPANWAY_BIN", ROOT / "build/release/bin"))
# Figures of version 0.315.0; fewer would mean that files are missing.
FILES, EVALUATIONS = 21, 2243


def folder():
    command = [ROOT / "tests/parts/promqltest.sh", "folder"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"promqltest: the Go module of Prometheus cannot be had: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def test_every_evaluation_of_prometheus_passes():
    done = subprocess.run([BIN / "promqltest", "-v", folder()], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert lines[-1].split() == ["all", str(EVALUATIONS), "of", str(EVALUATIONS)]
    assert len(lines) == FILES + 1
