"""A closed-loop load generator: keep-alive connections, each with one request in progress, in one thread."""

from __future__ import annotations

import select
import selectors
import socket
import ssl
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Result(NamedTuple):
    """The result of a run. Latencies are seconds, sorted."""

    latencies: list[float]
    seconds: float
    errors: int

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """Return the latency below which ``share`` of the answers were."""
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)]


class Client:
    """One connection: sends a prepared request, reads the answer by its Content-Length, and sends the next."""

    def __init__(self, port: int, requests: Iterator[bytes], expected: int = 200) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(raw)
        self.sock.setblocking(False)
        self._requests = requests
        self._expected = b"HTTP/1.1 %d " % expected
        self._buffer = b""
        self._begun = 0.0
        self._missing = -1

    def fileno(self) -> int:
        """For the selector."""
        return self.sock.fileno()

    def send(self) -> None:
        """Begin a request; small enough to fit the socket's buffer."""
        self._buffer, self._missing = b"", -1
        request = next(self._requests)
        self._begun = time.perf_counter()
        self.sock.sendall(request)

    def warm(self) -> None:
        """Send one request and wait for its answer."""
        self.send()
        while self.receive() is None:
            select.select([self.sock], [], [], 10)

    def receive(self) -> float | None:
        """Read what has arrived; return the latency once the answer is complete. Raises OSError."""
        while True:
            try:
                chunk = self.sock.recv(65536)
            except ssl.SSLWantReadError:
                return None
            if not chunk:
                raise ConnectionResetError
            self._buffer += chunk
            if self._missing < 0:
                self._head()
            if self._missing >= 0 and len(self._buffer) >= self._missing:
                return time.perf_counter() - self._begun

    def _head(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        if not self._buffer.startswith(self._expected):
            raise ConnectionAbortedError(head[:60].decode("latin-1"))
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        self._missing = end + 4 + int(length)


def post(path: str, body: bytes) -> bytes:
    """Write a request as the API server does."""
    head = (
        f"POST {path}?timeout=10s HTTP/1.1\r\nHost: gpu-admission.gpu-admission.svc:443\r\n"
        f"User-Agent: kube-apiserver-admission\r\nContent-Length: {len(body)}\r\n"
        "Accept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Result:
    """Keep ``clients`` connections busy for some time with the given requests."""
    selector = selectors.DefaultSelector()
    pool = []
    for _ in range(clients):
        client = Client(port, requests)
        pool.append(client)
        selector.register(client, selectors.EVENT_READ, client)
        # Send and wait at once: gunicorn's threads block on an idle connection, so eight of them stop it; and a first
        # answer that is not read while others connect would count as slow.
        client.warm()
    for client in pool:
        client.send()
    latencies: list[float] = []
    errors = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds and selector.get_map():
        for key, _ in selector.select(1.0):
            client = key.data
            try:
                latency = client.receive()
                if latency is not None:
                    latencies.append(latency)
                    client.send()
            except OSError:
                errors += 1
                selector.unregister(client)
    spent = time.perf_counter() - begun
    for client in pool:
        client.sock.close()
    return Result(sorted(latencies), spent, errors)
