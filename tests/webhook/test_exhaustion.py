"""Exhausted resources: a log that is not read, shared memory, file descriptors. Real processes."""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from webhook_server import Load, Server, review, until

pytestmark = pytest.mark.slow

HEAD = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def dropped(server):
    text = server.get("/metrics", health=True)[2].decode()
    return float(re.search(r"^gpu_admission_log_lines_dropped_total (\S+)$", text, re.MULTILINE)[1])


def test_a_log_that_nobody_reads_stops_no_review(tmp_path):
    """More lines than the pipe and the queues of all processes hold."""
    read, write = os.pipe()
    long = review("p" * 200)
    with Server(tmp_path, stderr=write) as server:
        os.close(write)
        with Load(server, clients=4, body=long):
            until(lambda: dropped(server) > 100, 60, server)
        # The arbiter works, too, though it cannot say so: a worker that dies is replaced.
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(server.workers()) == 2 and victim not in server.workers(), 20, server)
        before = dropped(server)
        with Load(server, clients=4, body=long) as load:
            until(lambda: dropped(server) > before + 100, 60, server)
            load.wait(200)
            assert server.get("/readyz", health=True)[0] == 200
        assert load.lost == []
        # A reader that starts again gets the queued lines, and the number of the dropped ones.
        with open(read, "rb") as log:
            lines = []
            reader = threading.Thread(target=lambda: lines.extend(log), daemon=True)
            reader.start()
            until(lambda: any(b"log lines dropped" in line for line in list(lines)), 20, server)
            assert server.stop() == 0
            reader.join(10)
            assert not reader.is_alive()


def test_the_last_lines_are_written_before_the_end(tmp_path):
    with Server(tmp_path) as server:
        for number in range(20):
            server.post("/validate", review(f"p-{number}"))
        assert server.stop() == 0
        assert len([line for line in server.lines if line["message"] == "review answered"]) == 20


def in_tmpfs(options):
    """A command prefix that gives a process a /dev/shm of its own, of a certain size."""
    mounting = f'mount -t tmpfs -o {options} tmpfs /dev/shm && exec "$@"'
    prefix = ("unshare", "--mount", "--", "sh", "-c", mounting, "sh")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("a tmpfs cannot be mounted here: it takes root, or CAP_SYS_ADMIN")
    return prefix


def reviewed(server):
    text = server.get("/metrics", health=True)[2].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("gpu_admission_reviews_total{"))


@pytest.mark.parametrize("options", ["size=8k", "size=4k,nr_inodes=2"])
def test_shared_memory_that_is_too_small_is_named_and_not_needed(tmp_path, options):
    with Server(tmp_path, prefix=in_tmpfs(options)) as server:
        warning = next(line for line in server.lines if line["message"] == "no room for metrics")
        assert warning["level"] == "warning"
        assert warning["directories"].startswith("/dev/shm: No space left on device")
        assert warning["metrics"] == "kept elsewhere"
        for _ in range(10):
            assert server.post()[0] == 200
        assert reviewed(server) == 10
        assert server.stop() == 0


def test_no_room_anywhere_leaves_every_worker_to_count_by_itself(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    prefix = in_tmpfs(f"size=8k tmpfs {small} && mount -t tmpfs -o size=8k")
    with Server(tmp_path, prefix=prefix, env={"TMPDIR": str(small)}) as server:
        warning = next(line for line in server.lines if line["message"] == "no room for metrics")
        assert f"{small}: No space left on device" in warning["directories"]
        assert warning["metrics"] == "each worker counts by itself"
        assert server.post()[0] == 200
        until(lambda: reviewed(server) >= 1, 10, server)
        assert server.stop() == 0


def test_shared_memory_that_fills_up_kills_nobody(tmp_path):
    prefix = in_tmpfs("size=2m")
    with Server(tmp_path, prefix=prefix) as server:
        workers = set(server.workers())
        with (
            open(f"/proc/{server.process.pid}/root/dev/shm/full", "wb", buffering=0) as full,
            contextlib.suppress(OSError),
        ):
            while full.write(bytes(4096)):
                pass
        with Load(server) as load:
            load.wait(200)
            server.process.send_signal(signal.SIGHUP)  # new workers, in slots that were not used before
            until(lambda: len(server.workers()) == 2 and not workers & set(server.workers()), 20, server)
            load.wait(200)
            os.kill(server.workers()[0], signal.SIGKILL)
            load.wait(100)
        assert len(load.lost) <= 4  # what the killed worker had in flight
        until(lambda: server.get("/readyz", health=True)[0] == 200, 20, server)
        assert reviewed(server) >= 500
        assert "SIGBUS" not in server.log
        assert server.stop() == 0


def test_a_worker_that_does_not_run_makes_it_unready(tmp_path):
    with Server(tmp_path) as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            until(lambda: b"1 of the workers" in server.get("/readyz", health=True)[2] or None, 40, server)
        finally:
            os.kill(victim, signal.SIGCONT)
        until(lambda: server.get("/readyz", health=True)[0] == 200, 20, server)


def test_more_unfinished_requests_than_file_descriptors(tmp_path):
    """1,400 unfinished heads against 512 descriptors of each worker, and everybody else is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"this process may open only {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    try:
        with contextlib.ExitStack() as stack:
            limited = ("sh", "-c", 'ulimit -n 512 && exec "$@"', "sh")
            server = stack.enter_context(Server(tmp_path, prefix=limited, max_connections=10_000, header_timeout=30))
            load = stack.enter_context(Load(server, clients=4))
            for number in range(1400):
                with contextlib.suppress(OSError):  # it may be given up for a newer one in its handshake
                    sock = stack.enter_context(contextlib.closing(server.connect(15)))
                    sock.sendall(HEAD if number % 2 else HEAD + b"Content-Length: 100\r\n\r\n{")
            load.wait(300)
            assert server.get("/readyz", health=True)[0] == 200
            load._stop.set()
            time.sleep(0.5)
        assert load.lost == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_descriptors_run_out_on_the_health_port(tmp_path):
    limited = ("sh", "-c", 'ulimit -n 128 && exec "$@"', "sh")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path, prefix=limited))
        for _ in range(400):
            sock = socket.create_connection(("127.0.0.1", server.health_port), timeout=15)
            stack.enter_context(contextlib.closing(sock))
        until(lambda: server.get("/readyz", health=True)[0] == 200, 20, server)
        assert server.post()[0] == 200
