"""``gpu-admission serve``: make settings of flags and environment, and start the server with them.

A certificate that is kept in a Secret, or published in webhook configurations, needs a sidecar: a separate process
(cert_sidecar.py), so that neither the forking server nor a worker ever loads the Kubernetes client.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from gpu_admission.webhook.server.settings import ServerSettings

FLAGS = (
    ("--bind", "HOST:PORT", "address for reviews [0.0.0.0:8443]"),
    ("--health-bind", "HOST:PORT", "serve /healthz, /readyz and /metrics there too, over plain HTTP"),
    ("--policy-source", "SOURCE", "files (--policy), or crd: the cluster's GPUPolicy objects [files]"),
    ("--mode", "MODE", "enforce, warn or audit: a ceiling on the mode of every policy [enforce]"),
    ("--tls-cert", "FILE", "serving certificate, PEM, leaf first; reloaded when it changes"),
    ("--tls-key", "FILE", "its key"),
    ("--self-signed", "DIR", "make and keep an own CA and certificate there; the default, in the state directory"),
    ("--secret", "NS/NAME", "keep them in this Secret instead, which replicas share"),
    ("--client-ca", "FILE", "require client certificates of these CAs; health and metrics then only on --health-bind"),
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
    add("--http", action="store_const", const=True, help="no TLS: a proxy in front terminates it")
    add("--workers", type=int, metavar="N", help="worker processes [2]")
    add("--log-format", choices=("json", "text"), help="[json]")
    add("--log-level", choices=("debug", "info", "warning", "error"), help="[info]")
    add("--lame-duck", type=float, metavar="SECONDS", help="how long to keep serving after SIGTERM, not ready [10]")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal; return 2 when the settings, a port or a file that they name cannot be used."""
    # Not at the top: gunicorn and Flask belong to an extra, and importing them takes time.
    from gpu_admission.webhook import certificate_sidecar, policy_sidecar  # noqa: PLC0415
    from gpu_admission.webhook.server.server import serve  # noqa: PLC0415
    from gpu_admission.webhook.server.settings import SettingsError  # noqa: PLC0415

    try:
        settings = _settings(args)
        _check_ports(settings)
    except SettingsError as error:
        print(f"gpu-admission serve: {error}", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        keeper = watcher = None
        if certificate_sidecar.is_wanted(settings):
            certificates = stack.enter_context(certificate_sidecar.CertificateSidecar(settings))
            keeper, settings = certificates.process, certificates.settings
            certificates.begin()
        if policy_sidecar.is_wanted(settings):
            policies = stack.enter_context(policy_sidecar.PolicySidecar(settings))
            watcher, settings = policies.process, policies.settings
            policies.begin()
        return serve(settings, keeper=keeper, watcher=watcher)


def _settings(args: argparse.Namespace) -> ServerSettings:
    from gpu_admission.webhook.server.settings import ServerSettings, SettingsError  # noqa: PLC0415

    given = {name: value for name, value in vars(args).items() if name != "command"}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    settings = ServerSettings.from_environment(os.environ, **given)
    for name in ("tls_cert", "tls_key", "client_ca"):
        path = getattr(settings, name)
        if path and (os.path.isdir(path) or not os.access(path, os.R_OK)):
            reason = "cannot be read" if os.path.isfile(path) else "there is no such file"
            raise SettingsError(f"{name.replace('_', '-')}: {path}: {reason}")
    return settings


def _check_ports(settings: ServerSettings) -> None:
    """Check that our ports are free; raises SettingsError. gunicorn would try five times, then exit with 1."""
    from gpu_admission.webhook.server.settings import SettingsError, address  # noqa: PLC0415

    with contextlib.ExitStack() as held:  # both at once: they must not be the same
        for name, text in (("bind", settings.bind), ("health-bind", settings.health_bind)):
            if not text:
                continue
            host, port = address(text, name)
            try:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                held.enter_context(socket.create_server((host, port), family=family))
            except OSError as error:
                code = error.errno or 0  # the resolver's error codes are negative
                reason = os.strerror(code).lower() if code > 0 else "there is no such host"
                raise SettingsError(f"{name}: {text}: {reason}") from None
