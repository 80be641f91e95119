"""The API server keeps what FakeKube, the fake of the unit tests, promises in its place."""
import os
import subprocess

import pytest
from harness.processes import BIN, ROOT


def test_the_fake_api_server_and_the_real_one_agree(cluster):
    tests = BIN / "operator_reconcile_test"
    # SPANWAY_BIN may name a folder of released programs, without the test programs.
    if not tests.exists():
        pytest.skip("operator_reconcile_test is not built")
    done = subprocess.run([tests, "--gtest_filter=Servers/ApiServerContract.*"], cwd=ROOT, capture_output=True, text=True,
                          env=dict(os.environ, SPANWAY_KUBECONFIG=str(cluster.kubeconfig), GTEST_BRIEF="0"), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout and "/Real" in done.stdout, done.stdout
