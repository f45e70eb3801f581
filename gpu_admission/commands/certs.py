"""``gpu-admission certs``: issue, rotate and publish certificates by hand or from an init container."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_admission.cluster.api import KubernetesApi

SERVICE = "gpu-admission"  # name and namespace in deploy/
LONGEST = 365  # days


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``certs`` and its three actions; `run` takes what they parse."""
    certs = subparsers.add_parser("certs", help="CA, serving certificate and caBundle of the webhook")
    actions = certs.add_subparsers(dest="action", required=True, metavar="issue | rotate | inject")
    issue = actions.add_parser("issue", help="make what is missing or due; keep what is valid")
    _add_place(issue)
    _add_names(issue)
    issue.add_argument("--force", action="store_true", help="replace everything with a new CA and certificate")
    rotate = actions.add_parser("rotate", help="a new certificate from the same CA")
    _add_place(rotate)
    _add_names(rotate)
    rotate.add_argument("--ca", action="store_true", help="a new CA too; ca.crt contains old and new")
    rotate.add_argument(
        "--stage",
        action="store_true",
        help="with --ca: only add the new CA to ca.crt, to be published; the next rotate --ca signs with it",
    )
    _add_configuration(rotate, "with --ca: publish both CAs there before the new one signs")
    inject = actions.add_parser("inject", help="publish ca.crt as caBundle of webhook configurations")
    _add_place(inject)
    _add_configuration(inject, "Mutating- and ValidatingWebhookConfiguration of this name (repeatable)")
    inject.add_argument("--replace", action="store_true", help="remove every other CA too, not only expired ones")


def _add_place(parser: argparse.ArgumentParser) -> None:
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--dir", type=_directory, metavar="DIR", help="directory that holds the certificates")
    place.add_argument("--secret", metavar="NS/NAME", help="Secret that holds them; it must exist")
    parser.add_argument("--context", help="context of kubeconfig")


def _directory(text: str) -> Path:
    if not text:  # usually a variable that is not set: Path("") is the current directory
        raise argparse.ArgumentTypeError("is empty")
    return Path(text)


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--service", metavar="NAME", help=f"the Service [{SERVICE}]")
    parser.add_argument("--namespace", metavar="NS", help=f"its namespace [{SERVICE}]")
    parser.add_argument(
        "--san", action="append", default=[], metavar="NAME", help="further DNS name or IP (repeatable)"
    )
    parser.add_argument("--days", type=int, default=30, metavar="N", help="life of the certificate [%(default)s]")


def _add_configuration(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--webhook-configuration", action="append", default=[], metavar="NAME", help=text)


def run(
    args: argparse.Namespace,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    connect: Callable[[str | None], KubernetesApi] | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Perform the action. Returns 0; 1 when it failed and 2 for misuse, with one line on standard error."""
    # Start-up time: cryptography takes 80 ms, which other commands do not need.
    from gpu_admission.pki.errors import PkiError  # noqa: PLC0415

    from . import certs_actions  # noqa: PLC0415

    misuse = _misuse(args)
    if misuse:
        return _failed(args, misuse, 2)
    try:
        lines = certs_actions.perform_action(args, clock, connect, pause)
    except certs_actions.CertsUsageError as error:
        return _failed(args, error, 2)
    except PkiError as error:
        return _failed(args, error, 1)
    print("\n".join(lines))
    return 0


def _failed(args: argparse.Namespace, reason: object, code: int) -> int:
    print(f"gpu-admission certs {args.action}: {reason}", file=sys.stderr)
    return code


def _misuse(args: argparse.Namespace) -> str:
    """Return why arguments cannot be combined or used; empty when they can."""
    if args.secret is not None:
        namespace, slash, name = args.secret.partition("/")
        if not (namespace and slash and name) or "/" in name:
            return f"--secret {args.secret}: expected NAMESPACE/NAME"
    if args.action == "inject":
        return "" if args.webhook_configuration else "needs --webhook-configuration NAME"
    if not 1 <= args.days <= LONGEST:
        return f"--days {args.days}: must be 1 to {LONGEST}, a certificate does not outlive its CA"
    if args.action == "rotate" and not args.ca and (args.stage or args.webhook_configuration):
        return "--stage and --webhook-configuration need --ca"
    return ""
