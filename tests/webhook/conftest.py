import pytest
from webhook_server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A TLS server with short limits, shared by a module's tests: none of them may hurt the next."""
    limits = {"header_timeout": 1.0, "body_timeout": 1.0, "handshake_timeout": 1.0, "linger": 1.0}
    with Server(tmp_path_factory.mktemp("server"), **limits) as running:
        yield running
