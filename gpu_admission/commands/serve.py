"""``gpu-admission serve``: flags and environment to settings, and the server started with them.

A certificate that is kept in a Secret, or published in webhook configurations, gets a keeper: a process of its
own (keeper.py), so that neither the forking server nor a worker ever loads the Kubernetes client.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gpu_admission.admission.child import Child
    from gpu_admission.admission.settings import Settings

PATIENCE = 15.0  # seconds for the first certificate from a Secret; later it comes while we are not ready


FLAGS = (
    ("--bind", "HOST:PORT", "where reviews are answered [0.0.0.0:8443]"),
    ("--health-bind", "HOST:PORT", "serve /healthz, /readyz and /metrics there too, in plain HTTP"),
    ("--tls-cert", "FILE", "serving certificate, PEM, leaf first; followed when it changes"),
    ("--tls-key", "FILE", "its key"),
    ("--self-signed", "DIR", "make and keep an own CA and certificate there; the default, in the state directory"),
    ("--secret", "NS/NAME", "keep them in this Secret instead, which replicas share"),
    ("--client-ca", "FILE", "demand client certificates of these CAs; health and metrics then only on --health-bind"),
)
LISTS = (
    ("--policy", "NAME|FILE", "repeatable; the first is the default one [default]"),
    (
        "--webhook-configuration",
        "NAME",
        "keep our CA in its caBundles; not ready where one does not verify what we serve",
    ),
    ("--san", "NAME", "further DNS name or IP address of the own certificate (repeatable)"),
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve``; `run` takes what it parses."""
    parser = subparsers.add_parser(
        "serve",
        help="the webhook server",
        epilog="Every flag is also an environment variable: --health-bind is GPU_ADMISSION_HEALTH_BIND.",
    )
    add = parser.add_argument
    for flag, metavar, text in LISTS:
        short = ("-p",) if flag == "--policy" else ()
        add(*short, flag, action="append", metavar=metavar, help=text)
    for flag, metavar, text in FLAGS:
        add(flag, metavar=metavar, help=text)
    add("--service", "--service-name", dest="service_name", metavar="NAME",
        help="the Service that the own certificate is for [gpu-admission]")  # fmt: skip
    add("--namespace", "--service-namespace", dest="service_namespace", metavar="NS",
        help="its namespace [gpu-admission]")  # fmt: skip
    add("--http", action="store_const", const=True, help="no TLS: something in front ends it")
    add("--workers", type=int, metavar="N", help="worker processes [2]")
    add("--log-format", choices=("json", "text"), help="[json]")
    add("--log-level", choices=("debug", "info", "warning", "error"), help="[info]")
    add("--lame-duck", type=float, metavar="SECONDS", help="how long to serve on after SIGTERM, while not ready [10]")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal says otherwise; 2 when the settings, a port or what they name cannot be used."""
    # Only now: gunicorn and Flask are not there without the extra, and take a moment to import.
    from gpu_admission.admission.server import serve  # noqa: PLC0415
    from gpu_admission.admission.settings import SettingsError  # noqa: PLC0415

    try:
        settings = _settings(args)
        _check_ports(settings)
    except SettingsError as error:
        print(f"gpu-admission serve: {error}", file=sys.stderr)
        return 2
    if not settings.webhook_configuration and not settings.secret:
        return serve(settings)
    with _kept(settings) as (kept, keeper):
        return serve(kept, keeper=keeper)


def _settings(args: argparse.Namespace) -> Settings:
    from gpu_admission.admission.settings import Settings, SettingsError  # noqa: PLC0415

    given = {name: value for name, value in vars(args).items() if name != "command"}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    settings = Settings.from_environment(os.environ, **given)
    for name in ("tls_cert", "tls_key", "client_ca"):
        path = getattr(settings, name)
        if path and not os.access(path, os.R_OK):
            reason = "cannot be read" if os.path.exists(path) else "there is no such file"
            raise SettingsError(f"{name.replace('_', '-')}: {path}: {reason}")
    if settings.http and settings.webhook_configuration:
        raise SettingsError("webhook-configuration: there is no certificate to compare it with under --http")
    return settings


def _check_ports(settings: Settings) -> None:
    """See that nobody has our ports; raises SettingsError. gunicorn would try five times, then exit with 1."""
    from gpu_admission.admission.settings import SettingsError, address  # noqa: PLC0415

    for name, text in (("bind", settings.bind), ("health-bind", settings.health_bind)):
        if not text:
            continue
        host, port = address(text, name)
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            socket.create_server((host, port), family=family).close()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise SettingsError(f"{name}: {text}: {reason.lower()}") from None


@contextmanager
def _kept(settings: Settings) -> Iterator[tuple[Settings, Child]]:
    """Start the keeper, and serve what it leaves in a directory in memory (or in the directory given)."""
    from gpu_admission.admission.child import Child  # noqa: PLC0415
    from gpu_admission.admission.embedded import state_directory  # noqa: PLC0415
    from gpu_admission.admission.metrics import memory_directory  # noqa: PLC0415
    from gpu_admission.commands import keeper  # noqa: PLC0415

    own = not settings.tls_cert and not settings.secret
    directory = tempfile.mkdtemp(prefix="gpu-admission-serving-", dir=memory_directory())
    place = (settings.self_signed or state_directory(os.environ)) if own else directory
    child = Child(keeper.command(settings, place))
    owner = os.getpid()
    try:
        if settings.secret:
            child.watch(time.monotonic())
            _await(os.path.join(place, "tls.crt"), child)
            cert, key = os.path.join(place, "tls.crt"), os.path.join(place, "tls.key")
            yield replace(settings, secret="", status=place, tls_cert=cert, tls_key=key), child
        else:
            yield replace(settings, status=place), child
    finally:
        if os.getpid() == owner:  # workers are forks of us, and their end comes by here too
            child.stop()
            shutil.rmtree(directory, ignore_errors=True)


def _await(path: str, child: Child) -> None:
    end = time.monotonic() + PATIENCE
    while child.running and not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)
