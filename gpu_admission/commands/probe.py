"""``gpu-admission probe``: check in a cluster whether the webhook works; ``helm test`` runs it."""

from __future__ import annotations

import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_STAGES = ("enforce", "repair", "warn", "audit")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``probe``; `run` takes what it parses."""
    parser = subparsers.add_parser(
        "probe",
        help="let the cluster judge a good and a bad pod, without creating them",
        epilog="It needs the right to create pods in that one namespace.",
    )
    parser.add_argument("-n", "--namespace", default="default", metavar="NS", help="where; not an exempt one [default]")
    parser.add_argument(
        "--stage", choices=_STAGES, default="enforce", help="of the rollout: what is expected [enforce]"
    )
    parser.add_argument("--context", help="context of kubeconfig")


def run(options: argparse.Namespace) -> int:
    """Print the result for each pod; return 1 where one is not as expected, 2 where the cluster cannot be reached."""
    from gpu_admission.cluster.api import connect  # noqa: PLC0415 - start-up time: 150 ms, not needed for --help
    from gpu_admission.cluster.probe import probe  # noqa: PLC0415
    from gpu_admission.pki.errors import StoreError  # noqa: PLC0415

    if not _NAMESPACE.fullmatch(options.namespace):
        print(f"gpu-admission probe: --namespace: {options.namespace!r} is not a name of a namespace", file=sys.stderr)
        return 2
    try:
        results = probe(connect(options.context), options.namespace, options.stage)
    except StoreError as error:
        print(f"gpu-admission probe: {error}", file=sys.stderr)
        return 2
    for result in results:
        print(f"{'ok  ' if result.ok else 'FAIL'} {result.text}")
    return 0 if all(result.ok for result in results) else 1
