"""``gpu-admission serve``: the webhook server.

Everything can be given as a flag or as ``GPU_ADMISSION_*`` (admission/settings.py); flags win.
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


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve``; `run` takes what it parses."""
    serve = subparsers.add_parser("serve", help="the webhook server", description=__doc__)
    add = serve.add_argument
    add("-p", "--policy", action="append", metavar="NAME|FILE", help="a policy; the first is the default [default]")
    add("--bind", metavar="HOST:PORT", help="where reviews are answered [0.0.0.0:8443]")
    add("--health-bind", metavar="HOST:PORT", help="plain HTTP for /healthz, /readyz and /metrics")
    add("--workers", type=int, metavar="N", help="processes [2]")
    add("--log-format", choices=["json", "text"], help="[json]")
    add("--lame-duck", type=float, metavar="SECONDS", help="how long to go on serving after SIGTERM [10]")
    _add_certificate(serve)


def _add_certificate(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group(
        "certificate", "With none given, an own CA and certificate are made and kept in a state directory."
    )
    add = group.add_argument
    add("--tls-cert", metavar="FILE", help="PEM, leaf first; followed when it changes")
    add("--tls-key", metavar="FILE", help="its key")
    add("--self-signed", metavar="DIR", help="own CA and certificate, kept in this directory")
    add("--secret", metavar="NS/NAME", help="own CA and certificate, kept in this Secret, which replicas share")
    add("--http", action="store_true", default=None, help="no TLS: only behind something that adds it")
    add("--client-ca", metavar="FILE", help="demand client certificates of this CA")
    add(
        "--webhook-configuration",
        action="append",
        metavar="NAME",
        help="keep our CA in the caBundle of these configurations; compare what is there with what is served",
    )
    add("--service", dest="service_name", metavar="NAME", help="the Service that the certificate is for")
    add("--namespace", dest="service_namespace", metavar="NS", help="its namespace")
    add("--san", action="append", metavar="NAME", help="further DNS name or IP of the own certificate (repeatable)")


FLAGS = (
    "bind", "health_bind", "workers", "log_format", "lame_duck", "tls_cert", "tls_key", "self_signed", "secret",
    "http", "client_ca", "service_name", "service_namespace",
)  # fmt: skip
LISTS = ("policy", "webhook_configuration", "san")


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

    given = {name: getattr(args, name) for name in FLAGS}
    given |= {name: tuple(value) for name in LISTS if (value := getattr(args, name)) is not None}
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
    try:
        if settings.secret:
            child.watch(time.monotonic())
            _await(os.path.join(place, "tls.crt"), child)
            cert, key = os.path.join(place, "tls.crt"), os.path.join(place, "tls.key")
            yield replace(settings, secret="", status=place, tls_cert=cert, tls_key=key), child
        else:
            yield replace(settings, status=place), child
    finally:
        child.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _await(path: str, child: Child) -> None:
    end = time.monotonic() + PATIENCE
    while child.running and not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)
