"""From kubectl's flags to a connection, and the one-line error where there is none."""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from api_standin import ApiStandin, kubeconfig, standin

from gpu_admission.cluster.connect import ConnectOptions, connect
from gpu_admission.cluster.errors import ConnectError

pytest.importorskip("kubernetes")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path, monkeypatch):
    """No cluster but those of the test."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def refusal(**options):
    with pytest.raises(ConnectError) as caught:
        connect(ConnectOptions(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_kubeconfig_at_all():
    assert refusal() == (
        "no kubeconfig found (~/.kube/config) and not inside of a cluster: give one with --kubeconfig or KUBECONFIG"
    )


def test_kubeconfig_names_nothing_that_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/a:{tmp_path}/b")
    assert f"({tmp_path}/a:{tmp_path}/b)" in refusal()


def test_a_file_that_is_not_there(tmp_path):
    assert "there is no such kubeconfig file: check --kubeconfig" in refusal(kubeconfig=str(tmp_path / "x"))


def test_a_context_that_is_misspelt(tmp_path):
    assert "there is no context 'heer'; did you mean 'here'?" in refusal(
        kubeconfig=kubeconfig(tmp_path, "http://127.0.0.1:9"), context="heer"
    )


def test_a_context_that_is_like_none_there(tmp_path):
    path = kubeconfig(tmp_path, "http://127.0.0.1:9")
    assert "there is no context 'production'; choose from: here" in refusal(kubeconfig=path, context="production")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "is not a kubeconfig"),
        ("[]", "is not a kubeconfig"),
        ("a: [", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
        ("[" * 5000, "is not valid YAML"),
        ("{}", "no current-context is set"),
        ("contexts: 7\ncurrent-context: x", "there is no context 'x': it holds no contexts"),
        ("contexts: [{name: x, context: 5}]\ncurrent-context: x", "the kubeconfig cannot be used"),
        (
            "contexts: [{name: x, context: {cluster: no, user: no}}]\ncurrent-context: x",
            "the kubeconfig cannot be used",
        ),
    ],
)
def test_a_kubeconfig_that_is_none(tmp_path, content, text):
    path = tmp_path / "config"
    path.write_text(content)
    assert text in refusal(kubeconfig=str(path))


def test_a_directory_is_no_kubeconfig(tmp_path):
    assert "cannot be read: is a directory" in refusal(kubeconfig=str(tmp_path))


def test_groups_without_a_user(tmp_path):
    assert "--as-group needs --as" in refusal(as_groups=("g",))


def exec_user(folder, script):
    path = folder / "plugin.py"
    path.write_text(script)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(path)],
            "interactiveMode": "Never",
        }
    }


def test_a_credential_plugin_is_run(tmp_path):
    token = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "made"}}
    api = ApiStandin()
    with standin(api) as url:
        path = kubeconfig(tmp_path, url, user=exec_user(tmp_path, f"print({json.dumps(json.dumps(token))})"))
        connect(ConnectOptions(kubeconfig=path)).get("/api/v1/pods")
    assert api.headers[-1]["Authorization"] == "Bearer made"


@pytest.mark.parametrize(
    "script", ["import sys; sys.exit('please log in')", "print('{}')", "print('no json')", "import os; os._exit(3)"]
)
def test_a_credential_plugin_that_fails_is_named(tmp_path, script, capsys):
    path = kubeconfig(tmp_path, "http://127.0.0.1:9", user=exec_user(tmp_path, script))
    assert "no credentials (exec: " in refusal(kubeconfig=path)
    assert capsys.readouterr().err == ""


def test_a_credential_plugin_that_is_not_installed(tmp_path):
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin-anywhere"}}
    path = kubeconfig(tmp_path, "http://127.0.0.1:9", user=user)
    assert "no-such-plugin-anywhere" in refusal(kubeconfig=path)


def test_a_proxy_of_the_kubeconfig_is_used(tmp_path):
    api = ApiStandin()
    with standin(api) as url:
        path = tmp_path / "kubeconfig"
        kubeconfig(tmp_path, "http://cluster.invalid")
        config = json.loads(path.read_text())
        config["clusters"][0]["cluster"]["proxy-url"] = url
        path.write_text(json.dumps(config))
        connect(ConnectOptions(kubeconfig=str(path))).get("/api/v1/pods")
    assert api.headers[-1]["Host"] == "cluster.invalid"


def test_a_certificate_that_nobody_trusts(tmp_path):
    from datetime import UTC, datetime

    from gpu_admission.pki.directory_store import ensure
    from gpu_admission.pki.subject_alt_names import serving_names

    ensure(tmp_path / "tls", serving_names("x", "y"), datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "tls" / "tls.crt", tmp_path / "tls" / "tls.key")
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        path = kubeconfig(tmp_path, f"https://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(ConnectError, match=r"the certificate of .* cannot be verified .* certificate-authority"):
            connect(ConnectOptions(kubeconfig=path)).get("/api")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_https_spoken_to_a_plain_server(tmp_path):
    with standin(ApiStandin()) as url:
        path = kubeconfig(tmp_path, url.replace("http", "https"))
        with pytest.raises(ConnectError, match=r"TLS with .* failed"):
            connect(ConnectOptions(kubeconfig=path)).get("/api")
