"""Memory goes back to the kernel when a flood of connections is over, on real memory of a process of its own."""

import subprocess
import sys

import pytest
from webhook_server import ROOT

from gpu_admission.webhook.server import connection_manager, memory

CODE = """
import os
from gpu_admission.webhook.server import memory

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20

for _ in range(3):
    blocks = [bytearray(b"x" * 200_000) for _ in range(300)]
    kept = [bytearray(b"x" * 4000) for _ in blocks]
    del blocks
memory.release()
print(resident())
"""


def test_freed_blocks_go_back():
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, check=True)
    assert int(done.stdout) < 50  # of 60 MiB that were in use at a time, beside Python itself


def test_another_c_library_has_nothing_to_release(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    memory.release()


@pytest.mark.parametrize(("most", "now", "released"), [(400, 10, True), (400, 200, False), (50, 0, False)])
def test_it_is_released_when_a_flood_is_over(monkeypatch, most, now, released):
    calls = []
    monkeypatch.setattr(connection_manager.memory, "release", lambda: calls.append(1))

    class Loop:
        time = staticmethod(lambda: 0.0)

        def call_at(self, *_):
            pass

    monkeypatch.setattr(connection_manager.asyncio, "get_running_loop", Loop)
    manager = connection_manager.ConnectionManager(None, type("Settings", (), {"overload": 1.0}), None)

    class Quiet:
        deadline = float("inf")

    manager.open = {Quiet() for _ in range(most)}
    manager._sweep()
    manager.open = {Quiet() for _ in range(now)}
    manager._sweep()
    assert bool(calls) is released
