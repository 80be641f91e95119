"""Instructions in user space of the stages of a request of 512 spans, counted by valgrind. They differ between compilers,
not between runs."""
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness.processes import BIN

STAGES = ("framing", "scan", "validate", "merge", "split")
REPETITIONS = 10


def instructions(stage, repetitions):
    with tempfile.TemporaryDirectory(prefix="spanway-cost-") as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=cost_repeat", f"--callgrind-out-file={folder}/out", BIN / "cost_stages", stage, str(repetitions)],
            capture_output=True, text=True, timeout=600, cwd=pathlib.Path(folder),
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert done.returncode == 0 and found, done.stderr
    return int(found.group(1))


def measure():
    """{stage: millions of instructions of one request}; empty without valgrind."""
    if not shutil.which("valgrind"):
        print("instructions: not counted, valgrind is not installed")
        return {}
    found = {}
    for stage in STAGES:
        found[stage] = instructions(stage, REPETITIONS) / REPETITIONS / 1e6
        print(f"{stage:18} {found[stage]:.3f} M instructions", flush=True)
    return found
