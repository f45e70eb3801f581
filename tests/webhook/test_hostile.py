"""Clients that stall, flood and lie, while others must not notice."""

import contextlib
import socket
import ssl
import threading
import time

import pytest
from webhook_server import Load, Server, read_all, review, until

pytestmark = pytest.mark.slow

HEAD = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    limits = {"header_timeout": 3, "body_timeout": 2, "handshake_timeout": 3, "write_timeout": 2, "linger": 1}
    with Server(tmp_path_factory.mktemp("hostile"), max_connections=100, **limits) as running:
        yield running


def half_open(server):
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=15)
    sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")  # the beginning of a ClientHello
    return sock


def silent(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=15)


def unfinished_headers(server):
    sock = server.connect(15)
    sock.sendall(HEAD + b"X-Slow: ")
    return sock


def unfinished_body(server):
    sock = server.connect(15)
    sock.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + b" " * 50000)
    return sock


def unfinished_chunks(server):
    sock = server.connect(15)
    sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + b" " * 1000)
    return sock


@pytest.mark.parametrize("attack", [half_open, silent, unfinished_headers, unfinished_body, unfinished_chunks])
def test_stalled_clients_cost_others_nothing_and_are_closed(server, attack):
    with contextlib.ExitStack() as stack, Load(server, clients=2) as load:
        stalled = []
        for _ in range(60):
            stalled.append(stack.enter_context(contextlib.closing(attack(server))))
            time.sleep(0.02)
        load.wait(100)
        for sock in stalled:
            answer = read_all(sock)  # returns when the server closes
            assert not answer or b" 408 " in answer or answer[:1] == b"\x15"  # a TLS alert
    assert load.lost == []


def test_more_stalled_connections_than_there_is_room_for(server):
    with contextlib.ExitStack() as stack:
        with Load(server, clients=4) as load:
            for _ in range(500):
                stack.enter_context(contextlib.closing(half_open(server)))
            load.wait(200)
        assert load.lost == []


def test_a_drip_of_bytes_does_not_extend_the_time(server):
    with contextlib.closing(server.connect(15)) as sock:
        sock.sendall(HEAD)
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - begun < 12:
                sock.sendall(b"X: y\r\n")
                time.sleep(0.1)
        assert time.monotonic() - begun < 12, "still open"


def test_who_does_not_read_answers_is_closed(server):
    with contextlib.closing(server.connect(15)) as sock:
        sock.setblocking(False)
        request = HEAD + b"Content-Length: %d\r\n\r\n" % len(review()) + review()
        begun = time.monotonic()
        closed = False
        while not closed and time.monotonic() - begun < 20:
            try:
                sock.send(request * 50)
            except ssl.SSLWantWriteError:
                time.sleep(0.05)
            except OSError:
                closed = True
        assert closed


def test_large_bodies_do_not_multiply_memory(server):
    body = b'{"a":[' + b"{}," * (2 * 2**20) + b"{}]}"
    before = memory(server)
    threads = [threading.Thread(target=server.post, args=("/validate", body)) for _ in range(8)]
    with Load(server, clients=2) as load:
        for thread in threads:
            thread.start()
        peak = before
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, memory(server))
            time.sleep(0.02)
        for thread in threads:
            thread.join()
    assert load.lost == []
    assert load.answered > 0
    assert server.post()[0] == 200
    # Parsed, one such body takes some 180 MiB; eight at once would take 1.4 GiB. There are two workers.
    assert peak - before < 600


def test_unfinished_large_bodies_give_way(server):
    """Ten clients hold seven mebibytes each and stall; one who finishes is served."""
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            sock = stack.enter_context(contextlib.closing(server.connect(15)))
            with contextlib.suppress(OSError):  # it may have to give way before it has sent everything
                sock.sendall(HEAD + b"Content-Length: 7000000\r\n\r\n" + b" " * 6_900_000)
        time.sleep(0.6)
        large = review()[:-1] + b" " * 3_000_000 + b"}"
        until(lambda: server.post("/validate", large)[0] == 200, 10, server)


def test_a_flood_of_pages_is_bounded(server):
    threads = [threading.Thread(target=server.get, args=("/metrics",)) for _ in range(40)]
    with Load(server, clients=2) as load:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        load.wait(20)
    assert load.lost == []


def memory(server):
    """Resident MiB of all workers."""
    total = 0
    for pid in server.workers():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            total += int(statm.read().split()[1]) * 4096
    return total / 2**20
