"""Log lines on every kind of descriptor, also when it is not read."""

import asyncio
import fcntl
import logging
import os
import select
import signal
import socket
import threading
import tty

import pytest

from gpu_admission.webhook import log_writer, logs
from gpu_admission.webhook.log_writer import LogWriter

ALARM = 20  # seconds after which a write that waits fails its test


@pytest.fixture(autouse=True)
def watchdog():
    def bark(*_):
        raise AssertionError("a write waited for its reader")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(ALARM)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe_pair():
    return os.pipe()


def socket_pair():
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def terminal_pair():
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    return ours, theirs


@pytest.fixture(params=[pipe_pair, socket_pair, terminal_pair], ids=["pipe", "socket", "terminal"])
def ends(request):
    """The end that is read and the end that is written."""
    read, write = request.param()
    yield read, write
    for fd in (read, write):
        os.close(fd)


def writer_for(fd, capacity=log_writer.CAPACITY):
    made = LogWriter(fd, "{} lines dropped".format, capacity)
    made.lost = 0

    def dropped(count):
        made.lost += count

    made.dropped = dropped
    return made


def drain(read):
    """All that can be read now."""
    got = b""
    while select.select([read], [], [], 0.2)[0]:
        chunk = os.read(read, 65536)
        if not chunk:
            break
        got += chunk
    return got


def test_lines_arrive_in_order(ends):
    read, write = ends
    writer = writer_for(write)
    for number in range(20):
        writer.write(f"line {number}")
    assert drain(read).decode().splitlines() == [f"line {number}" for number in range(20)]


def test_nobody_reads_and_nothing_waits(ends):
    read, write = ends
    writer = writer_for(write, capacity=20_000)
    count = 20_000
    for number in range(count):
        writer.write(f"line {number:06}")
    assert writer.lost > 0
    assert writer._size <= 20_000
    got = b""
    while not writer.flush():
        got += drain(read)
    got += drain(read)
    *lines, notice = got.decode().splitlines()
    assert notice == f"{writer.lost} lines dropped"
    assert lines == [f"line {number:06}" for number in range(count - writer.lost)]


def test_the_open_file_that_others_share_goes_on_blocking(ends):
    _, write = ends
    writer_for(write)
    assert os.get_blocking(write)


def test_a_pipe_of_somebody_elses(monkeypatch):
    """It cannot be opened again: the runtime made it as root, and the container runs as another user."""

    def forbidden(*_):
        raise PermissionError

    read, write = os.pipe()
    monkeypatch.setattr(os, "open", forbidden)
    writer = writer_for(write, capacity=1000)
    for _ in range(20_000):
        writer.write("a line")
    assert writer.lost > 0
    assert drain(read).startswith(b"a line\na line\n")
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("kind", ["closed pipe", "closed descriptor", "full disk"])
def test_a_descriptor_that_cannot_be_written(kind):
    if kind == "full disk":
        fd = os.open("/dev/full", os.O_WRONLY)
    else:
        read, fd = os.pipe()
        os.close(read)
    if kind == "closed descriptor":
        os.close(fd)
    writer = writer_for(fd)
    for _ in range(5):
        writer.write("a line")
    assert writer.lost >= 5
    assert writer.flush()
    if kind != "closed descriptor":
        os.close(fd)


def test_a_file_is_appended_to_where_others_write(tmp_path):
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)  # as a shell's `2>log` opens it
    writer = writer_for(fd)
    writer.write("one")
    os.write(fd, b"another's\n")
    writer.write("two")
    os.close(fd)
    assert path.read_text() == "one\nanother's\ntwo\n"


def test_a_line_longer_than_a_pipe():
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    writer = writer_for(write)
    writer.write("x" * 100_000)
    writer.write("y")
    got = b""
    while not writer.flush():
        got += drain(read)
    got += drain(read)
    assert got == b"x" * 100_000 + b"\ny\n"
    assert writer._size == 0
    os.close(read)
    os.close(write)


def test_batches_are_whole_lines_of_at_most_what_a_pipe_takes_at_once():
    read, write = os.pipe()
    writer = writer_for(write)
    batches = []
    writer._send = lambda data: batches.append(data) or len(data)
    with writer._lock:
        for number in range(500):
            writer._lines.append(b"%090d\n" % number)
            writer._size += 91
    writer.flush()
    assert len(batches) < 15
    assert all(len(each) <= select.PIPE_BUF and each.endswith(b"\n") for each in batches)
    assert writer._size == 0
    os.close(read)
    os.close(write)


def test_an_event_loop_gathers_lines():
    read, write = os.pipe()
    writer = writer_for(write)
    calls = []
    send = writer._send
    writer._send = lambda data: calls.append(data) or send(data)

    async def work():
        writer.gather(asyncio.get_running_loop())
        for number in range(10):
            writer.write(f"line {number}")
        assert not calls
        while not calls:
            await asyncio.sleep(0.01)
        writer.write("later")
        writer.write("urgent", urgent=True)
        threading.Thread(target=writer.write, args=("from a thread",)).start()
        await asyncio.sleep(0.1)
        writer.write("last words")
        writer.gather(None)
        writer.finish()

    asyncio.run(work())
    assert len(calls[0].splitlines()) == 10
    assert calls[1:] == [b"later\nurgent\n", b"from a thread\n", b"last words\n"]
    assert drain(read).count(b"\n") == 14
    os.close(read)
    os.close(write)


def test_a_reader_that_comes_back_is_found_by_the_loop():
    read, write = os.pipe()
    writer = writer_for(write, capacity=100_000)

    async def work():
        writer.gather(asyncio.get_running_loop())
        for _ in range(20_000):
            writer.write("a line of some length")
        await asyncio.sleep(0.1)
        assert writer.lost
        got = b""
        while b"lines dropped" not in got:
            got += await asyncio.to_thread(drain, read)
        writer.gather(None)

    asyncio.run(work())
    os.close(read)
    os.close(write)


def test_a_child_does_not_repeat_what_waits_in_its_parent():
    read, write = os.pipe()
    writer = writer_for(write)
    writer._send = stuck
    writer.write("the parent's")
    child = os.fork()
    if not child:
        writer._send = lambda data: os.write(write, data)
        writer.write("the child's")
        writer.finish()
        os._exit(0)
    os.waitpid(child, 0)
    writer._send = lambda data: os.write(write, data)
    writer.finish()
    assert sorted(drain(read).decode().splitlines()) == ["the child's", "the parent's"]
    os.close(read)
    os.close(write)


def stuck(_):
    raise BlockingIOError


def test_the_end_waits_for_a_reader_but_not_for_ever():
    _, write = os.pipe()
    writer = writer_for(write)
    writer._send = stuck
    writer.write("never read")
    writer.finish(0.05)
    assert not writer.flush()
    writer.finish(0.05)


def test_records_of_the_package_and_of_gunicorn():
    names = (logs.NAME, "gunicorn.error", "asyncio", "py.warnings")
    before = [(logging.getLogger(name), *vars_of(logging.getLogger(name))) for name in names]
    read, write = os.pipe()
    try:
        logs.setup("text", "info", write)
        logs.get().info("one", extra=logs.fields({"a": 1}))
        logging.getLogger("gunicorn.error").error("two")
        lines = drain(read).decode().splitlines()
    finally:
        for logger, handlers, propagate, level in before:
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)
    assert [line.partition("Z ")[2] for line in lines] == ["INFO one a=1", "ERROR two"]
    os.close(read)
    os.close(write)


def vars_of(logger):
    return list(logger.handlers), logger.propagate, logger.level


def test_the_size_of_a_batch_is_that_of_an_atomic_write():
    read, write = os.pipe()
    assert os.fpathconf(write, "PC_PIPE_BUF") >= log_writer.BATCH
    os.close(read)
    os.close(write)
