"""What a Service does, small: new connections go in turn to the replicas that are ready, open ones stay where they are."""

import contextlib
import itertools
import socket
import threading
import time

from webhook_server import free_port


class Balancer:
    """Listens on ``port``; ``replicas`` are servers with ``port`` and ``get("/readyz", health=True)``."""

    def __init__(self, replicas, port=None):
        self.replicas = list(replicas)
        self.port = port or free_port()
        self._ready = list(self.replicas)
        self._turn = itertools.count()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._connections = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._accept)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stop: new connections are refused, and open ones break."""
        if self._stop.is_set():
            return
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _look(self):
        """As kubelet and the endpoints controller: a moment late."""
        while not self._stop.wait(0.3):
            ready = [each for each in self.replicas if each.get("/readyz", health=True)[0] == 200]
            self._ready = ready or self._ready

    def _accept(self):
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            ready = self._ready
            chosen = ready[next(self._turn) % len(ready)]
            try:
                server = socket.create_connection(("127.0.0.1", chosen.port), timeout=5)
            except OSError:
                client.close()  # what a connection to a dead address comes to
                continue
            server.settimeout(None)
            self._connections += (client, server)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    for sock in (sink, source):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    time.sleep(0.5)
    source.close()
