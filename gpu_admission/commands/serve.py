"""``gpu-admission serve``: flags and environment to settings, and the server started with them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

FLAGS = (
    ("--bind", "HOST:PORT", "where reviews are served [0.0.0.0:8443]"),
    ("--tls-cert", "FILE", "serving certificate, PEM, leaf first; followed when it changes"),
    ("--tls-key", "FILE", "its key"),
    ("--self-signed", "DIR", "make and keep an own CA and certificate there; the default, in the state directory"),
    ("--client-ca", "FILE", "demand client certificates of these CAs; health and metrics then only on --health-bind"),
    ("--health-bind", "HOST:PORT", "serve /healthz, /readyz and /metrics there too, in plain HTTP"),
    ("--service-name", "NAME", "the Service that --self-signed names [gpu-admission]"),
    ("--service-namespace", "NAME", "its namespace [gpu-admission]"),
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve``; `run` takes what it parses."""
    parser = subparsers.add_parser(
        "serve",
        help="the webhook server",
        epilog="Every flag is also an environment variable: --health-bind is GPU_ADMISSION_HEALTH_BIND.",
    )
    parser.add_argument(
        "-p", "--policy", action="append", metavar="NAME|FILE", help="repeatable; the first is the default one"
    )
    for flag, metavar, text in FLAGS:
        parser.add_argument(flag, metavar=metavar, help=text)
    parser.add_argument("--http", action="store_const", const=True, help="no TLS: something in front ends it")
    parser.add_argument("--workers", type=int, metavar="N", help="worker processes [2]")
    parser.add_argument("--log-format", choices=("json", "text"), help="[json]")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="[info]")
    parser.add_argument(
        "--lame-duck", type=float, metavar="SECONDS", help="how long to serve on after SIGTERM, while not ready [10]"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until a signal; 2 for settings that cannot be used."""
    # gunicorn, Flask and cryptography cost a quarter of a second, which other commands need not pay.
    from gpu_admission.admission.server import serve  # noqa: PLC0415
    from gpu_admission.admission.settings import Settings, SettingsError  # noqa: PLC0415

    given = {name: value for name, value in vars(args).items() if name != "command"}
    if given.get("policy"):
        given["policy"] = tuple(given["policy"])
    try:
        settings = Settings.from_environment(os.environ, **given)
    except SettingsError as error:
        print(f"gpu-admission serve: {error}", file=sys.stderr)
        return 2
    return serve(settings)
