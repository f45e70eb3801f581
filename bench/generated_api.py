"""Shared by the benches of audit and inspect: a generated cluster with an API on loopback, and a process's use."""

from __future__ import annotations

import resource
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    import multiprocessing


class Cluster(Protocol):
    """A generated cluster."""

    def answer(self, path: str, query: dict[str, str]) -> bytes | None:
        """Return the JSON of a page of a list, or None where nothing is served."""


def serve_cluster(port: multiprocessing.Queue[int], cluster: Cluster) -> None:
    """Serve a cluster page by page until the process is ended; the port is put into ``port``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            data = cluster.answer(path, dict(parse_qsl(query)))
            self.send_response_only(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.put(server.server_address[1])
    server.serve_forever()


def usage() -> tuple[float, float]:
    """CPU seconds and MiB at the most, of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
