"""kubectl's own flags, for every command that talks to a cluster."""

from __future__ import annotations

import argparse
import re

from gpu_admission.cluster.connect import ConnectOptions, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.cluster.connection import Connection

COMPLETE = "_gpu_admission_names"
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST = 86_400.0  # seconds; more is no timeout, and sockets refuse it


def add_cluster_flags(parser: argparse.ArgumentParser, *, namespaces: bool = True) -> None:
    """Add the flags that choose a cluster, and with ``namespaces`` those that choose a namespace."""
    group = parser.add_argument_group("cluster", "the same flags as kubectl's")
    context = group.add_argument("--context", metavar="NAME", help="the context of the kubeconfig [the current one]")
    completes(context)
    group.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig file [KUBECONFIG, ~/.kube/config]")
    if namespaces:
        which = group.add_mutually_exclusive_group()
        text = "only this namespace [the context's]"
        completes(which.add_argument("-n", "--namespace", type=_namespace, metavar="NAME", help=text))
        which.add_argument("-A", "--all-namespaces", action="store_true", help="all namespaces")
    group.add_argument(
        "--request-timeout",
        type=duration,
        metavar="TIME",
        help="how long the API server may take for one request, like 30s or 2m; 0 for the default [60s]",
    )
    group.add_argument("--as", dest="as_user", metavar="USER", help="act as this user")
    group.add_argument("--as-group", action="append", default=[], metavar="GROUP", help="and as this group; repeatable")


def _namespace(text: str) -> str:
    """Return a namespace's name, or an empty one. Raises ArgumentTypeError: it becomes a part of a path."""
    if text and not _LABEL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a namespace")
    return text


def completes(action: argparse.Action) -> None:
    """Let shells complete an argument with names of a cluster: `completion.PREAMBLES` has the functions."""
    action.complete = {"bash": COMPLETE, "zsh": COMPLETE, "fish": f"({COMPLETE})"}  # type: ignore[attr-defined] # shtab's


def duration(text: str) -> float | None:
    """Return the seconds of a duration in kubectl's format: ``30``, ``30s``, ``1m30s``; None for ``0``.

    Raises ArgumentTypeError.
    """
    if text.isascii() and text.isdigit() and len(text) < 9:
        seconds = float(text)
    elif _PART.sub("", text) == "" and text:
        seconds = sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))
    else:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; expected a number with a unit, like 30s or 2m")
    if seconds > _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than 24h")
    return seconds or None


def connection_of(options: argparse.Namespace) -> Connection:
    """Return the connection that the flags choose. Raises ConnectError."""
    return connect(
        ConnectOptions(
            context=options.context,
            kubeconfig=options.kubeconfig,
            request_timeout=options.request_timeout,
            as_user=options.as_user,
            as_groups=tuple(options.as_group),
        )
    )


def namespace_of(options: argparse.Namespace, connection: Connection) -> str | None:
    """Return the namespace to read: the one given, the context's, or None for all."""
    if options.all_namespaces:
        return None
    return options.namespace or connection.namespace
