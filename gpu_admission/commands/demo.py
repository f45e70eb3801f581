"""``gpu-admission demo``: the webhook on loopback and the linter, on the example manifests, in one go."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import time

from gpu_admission.manifests import reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_FOLDERS = (os.path.join(_HERE, "..", "examples", "demo"), os.path.join(_HERE, "..", "..", "examples", "demo"))
_PATIENCE = 30.0  # seconds to wait for the server
_WIDTH = 110


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demo``; `run` takes what it parses."""
    demo = subparsers.add_parser("demo", help="see it work, on this machine only")
    demo.add_argument("-p", "--policy", default="default", metavar="NAME|FILE", help="the policy [default]")


def run(options: argparse.Namespace) -> int:
    """Show the webhook, then the linter; return 0 when both gave the expected results."""
    examples = _examples()
    with tempfile.TemporaryDirectory(prefix="gpu-admission-demo-") as folder:
        _print_heading(
            "1. The webhook", "A server on loopback with a self-signed certificate; reviews are sent over TLS."
        )
        try:
            with _server(options.policy, folder) as port:
                for path in sorted(os.listdir(examples)):
                    _apply(os.path.join(examples, path), port, os.path.join(folder, "tls", "ca.crt"))
        except RuntimeError as error:
            print(f"gpu-admission demo: {error}", file=sys.stderr)
            return 2
        return _lint(examples, folder, options.policy)


def _examples() -> str:
    for folder in _FOLDERS:
        if os.path.isdir(folder):
            return os.path.normpath(folder)
    raise SystemExit("gpu-admission demo: the examples are missing from this installation")


def _print_heading(title: str, text: str) -> None:
    print(f"\n{title}\n{'=' * len(title)}\n{text}")


@contextlib.contextmanager
def _server(policy: str, folder: str) -> Iterator[int]:
    """Run the real server until the block ends; its log is written to the folder."""
    port = _free_port()
    command = [sys.executable, "-m", "gpu_admission.commands.main", "serve", "--policy", policy]
    command += ["--bind", f"127.0.0.1:{port}", "--self-signed", os.path.join(folder, "tls")]
    command += ["--workers", "1", "--lame-duck", "0", "--log-format", "text"]
    log = os.path.join(folder, "server.log")
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        _wait(process, port, os.path.join(folder, "tls", "ca.crt"), log)
        print(f"The server answers on https://127.0.0.1:{port}; its CA is {folder}/tls/ca.crt.")
        yield port
    finally:
        _stop(process)
    print("\nThe server has stopped.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], port: int, ca: str, log: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, http.client.HTTPException):
            if _request(port, ca, "GET", "/readyz")[0] == 200:
                return
        time.sleep(0.1)
    with open(log, encoding="utf-8", errors="replace") as file:
        raise RuntimeError(f"the server did not start:\n{file.read()[-2000:]}")


def _request(port: int, ca: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=ca)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _apply(path: str, port: int, ca: str) -> None:
    """Send a manifest as the API server would, to /mutate and then to /validate, and print what a user would see."""
    with open(path, "rb") as file:
        text = file.read()
    obj: dict[str, Any] = reader.read(text, path).documents[0].object
    kind, name = obj["kind"], obj["metadata"]["name"]
    print(f"\n$ kubectl apply -f {os.path.basename(path)}")
    first = _review(obj, "mutate", port, ca)
    answers = [first]
    if first["allowed"]:
        answers.append(_review(_patched(obj, first), "validate", port, ca))
    for warning in dict.fromkeys(w for answer in answers for w in answer.get("warnings", ())):
        print(_wrapped(f"Warning: {warning}"))
    denied = next((answer for answer in answers if not answer["allowed"]), None)
    if denied is not None:
        refusal = f'admission webhook "pods.gpu-admission.io" denied the request: {denied["status"]["message"]}'
        print(_wrapped(f"Error from server (Forbidden): {refusal}"))
        return
    print(f"{kind.lower()}/{name} created")
    for operation in _operations(first):
        print(f"  (repaired: {operation['op']} {operation['path']} {json.dumps(operation.get('value'))})")


def _review(obj: dict[str, Any], endpoint: str, port: int, ca: str) -> dict[str, Any]:
    group, _, version = obj["apiVersion"].rpartition("/")
    request = {
        "uid": f"demo-{obj['metadata']['name']}-{endpoint}",
        "kind": {"group": group, "version": version, "kind": obj["kind"]},
        "operation": "CREATE",
        "namespace": "default",
        "userInfo": {"username": "demo"},
        "object": obj,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    status, body = _request(port, ca, "POST", f"/{endpoint}?timeout=10s", json.dumps(review).encode())
    if status != 200:
        raise RuntimeError(f"the server answered {status}: {body.decode(errors='replace')}")
    response: dict[str, Any] = json.loads(body)["response"]
    return response


def _operations(response: dict[str, Any]) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = json.loads(base64.b64decode(response.get("patch", "W10=")))
    return operations


def _patched(obj: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    import jsonpatch  # noqa: PLC0415 - as the API server applies it

    patched: dict[str, Any] = jsonpatch.apply_patch(obj, _operations(response))
    return patched


def _wrapped(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_long_words=False) for line in lines)


def _lint(examples: str, folder: str, policy: str) -> int:
    work = os.path.join(folder, "manifests")
    shutil.copytree(examples, work)
    lint = [sys.executable, "-m", "gpu_admission.commands.lint", "--policy", policy]
    _print_heading("2. The linter", "The same rules on the same files, before anything reaches a cluster.")
    if _shown([*lint, "."], work) != 1:
        return 1
    _print_heading("3. Repairs", "What is safe to repair, in a copy of the files; every other byte stays the same.")
    if _shown([*lint, "--diff", "."], work) != 1 or _shown([*lint, "--fix", "--quiet", "."], work, quiet=True) != 1:
        return 1
    _print_heading("4. What remains", "The rest needs a decision of its author.")
    return 0 if _shown([*lint, "--format", "concise", "."], work) == 1 else 1


def _shown(command: list[str], folder: str, *, quiet: bool = False) -> int:
    arguments = command[command.index("gpu_admission.commands.lint") + 1 :]
    print(f"\n$ gpu-lint {' '.join(arguments)}", flush=True)
    # The child runs in another directory, and must find a checkout that is not installed.
    root = os.path.normpath(os.path.join(_HERE, "..", ".."))
    search = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    output = subprocess.DEVNULL if quiet else None
    result = subprocess.run(command, cwd=folder, check=False, stdout=output, env={**os.environ, "PYTHONPATH": search})
    return result.returncode
