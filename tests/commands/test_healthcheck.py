"""The image's HEALTHCHECK against servers that answer, refuse, talk nonsense or are not there."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gpu_admission.commands import healthcheck


@pytest.fixture
def port():
    """A server whose answer to /healthz is its `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" and server.healthy else 503)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.healthy = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(monkeypatch, where):
    monkeypatch.setenv(healthcheck.VARIABLE, where)
    return healthcheck.main()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_server_that_answers(port, host, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # which has no say here
    assert check(monkeypatch, f"{host}:{port.server_port}") == 0


def test_a_server_that_is_not_well(port, monkeypatch, capsys):
    port.healthy = False
    assert check(monkeypatch, f"127.0.0.1:{port.server_port}") == 1
    assert "/healthz answered 503" in capsys.readouterr().err


def test_nobody_there(monkeypatch, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert check(monkeypatch, f"127.0.0.1:{free.getsockname()[1]}") == 1
    assert "refused" in capsys.readouterr().err


def test_a_server_that_does_not_speak_http(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert check(monkeypatch, f"127.0.0.1:{server.getsockname()[1]}") == 1
        thread.join()
    assert capsys.readouterr().err.startswith("unhealthy: ")


@pytest.mark.parametrize("where", ["", "8081", ":8081", "h:", "h:x", "h:99999", "h:¹"])
def test_an_address_that_is_none(where, monkeypatch, capsys):
    assert check(monkeypatch, where) == 1
    assert "expected HOST:PORT" in capsys.readouterr().err
