"""Ports for what a test starts. No other process of these tests gets one of them while this process
lives, whether something listens on it or not: a service that is restarted finds its port free."""
import fcntl
import os
import pathlib
import random
import re
import socket
import subprocess
import tempfile

# Below those that the kernel gives to clients (ip_local_port_range).
FIRST, END = 20_000, 32_000
TRIES_MAX = 10_000

_claimed = set()
_lock_file = None


def _locks():
    """One byte for each port, locked by the process that has it; the kernel unlocks it with its end."""
    global _lock_file
    if _lock_file is None:
        path = pathlib.Path(tempfile.gettempdir()) / "spanway-test-ports"
        _lock_file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    return _lock_file


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
            return True
        except OSError:
            return False


def _claim_one(port):
    if port in _claimed:
        return False
    # The lock comes first: the bind of is_free() would refuse the port to a service that starts there.
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _claimed.add(port)
    if is_free(port):
        return True
    release([port])
    return False


def claim(ports):
    """All of them, or none: False when one is taken."""
    done = []
    for port in ports:
        if not _claim_one(port):
            release(done)
            return False
        done.append(port)
    return True


def release(ports):
    for port in ports:
        _claimed.discard(port)
        fcntl.lockf(_locks(), fcntl.LOCK_UN, 1, port)


def free_ports(count):
    """The first of `count` ports in a row."""
    for _ in range(TRIES_MAX):
        port = random.randrange(FIRST, END - count)
        if claim(range(port, port + count)):
            return port
    raise AssertionError(f"no {count} free ports in a row between {FIRST} and {END}")


def free_port():
    return free_ports(1)


def describe_holders(log):
    """The sockets on each port that `log` reports as "already in use", or nothing; best called at once."""
    ports = re.findall(r":(\d+): Address already in use", log)
    if not ports:
        return ""
    sockets = subprocess.run(["ss", "-tanp", " or ".join(f"sport = :{port}" for port in sorted(set(ports)))], capture_output=True, text=True)
    return f"\nsockets on {', '.join(ports)}:\n{sockets.stdout}{sockets.stderr}"
