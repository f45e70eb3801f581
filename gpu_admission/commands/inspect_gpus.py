"""``gpu-admission inspect``: GPUs by node and card, the pods that use them, and why pods wait for one."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime

import yaml

from gpu_admission.cluster.errors import ClusterError
from gpu_admission.cluster.gpu_inventory import collect
from gpu_admission.core.raw import escape
from gpu_admission.inventory import html_page, plain_text, report, tables
from gpu_admission.policyfile import loader
from gpu_admission.safe_files import explain, write_atomically

from .cluster_flags import add_cluster_flags, completes, connection_of
from .cluster_progress import ProgressLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gpu_admission.cluster.connection import Connection
    from gpu_admission.inventory.model import Inventory

FORMATS = ("table", "wide", "json", "yaml", "html")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``inspect``; `run` takes what it parses."""
    parser = subparsers.add_parser(
        "inspect",
        help="GPUs by node and card, and the pods that use them",
        description="Show the GPUs of each node, by card where the sharing backend records it: capacity, what is "
        "allocated to which pods, what is free, which pods wait and why, and uncounted pods with GPUs.",
        epilog="Exit code: 0, or 2 where something could not be read (the rest is shown).",
    )
    completes(parser.add_argument("nodes", nargs="*", metavar="NODE", help="only these nodes (and no waiting pods)"))
    parser.add_argument("-f", "--format", choices=FORMATS, default="table", help="[table]")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.add_argument(
        "-p",
        "--policy",
        metavar="NAME|FILE",
        help="a policy that names the backend's units (memoryFactor, unit) and further GPU resources",
    )
    add_cluster_flags(parser)


def run(options: argparse.Namespace) -> int:
    """Return 0, or 2 where something could not be read or written."""
    try:
        _check(options)
        policy = loader.load(options.policy) if options.policy else None
        connection = connection_of(options)
        with ProgressLine(connection) as line:
            inventory = collect(
                connection,
                policy,
                options.nodes,
                lambda what, seen, coming: line.update(lambda: [_progress(what, seen, coming)]),
            )
        _select(inventory, options.namespace)
        _write(options, inventory, connection)
    except (loader.PolicyError, ClusterError, OutputError) as error:
        print(f"gpu-admission inspect: {error}", file=sys.stderr)
        return 2
    for problem in inventory.incomplete:
        print(f"gpu-admission inspect: {escape(problem)}", file=sys.stderr)
    return 2 if inventory.incomplete else 0


def _progress(what: str, seen: int, coming: int) -> str:
    return f"{what}: {seen:,} objects{f', {coming:,} to come' if coming else ''}"


class OutputError(Exception):
    """The report cannot be written."""


def _check(options: argparse.Namespace) -> None:
    folder = os.path.dirname(options.output or "")
    if folder and not os.path.isdir(folder):
        raise OutputError(f"--output: there is no directory {folder}")


def _select(inventory: Inventory, namespace: str | None) -> None:
    """Leave out waiting and uncounted pods of other namespaces; cards show all pods that use them."""
    if namespace is not None:
        inventory.waiting = [pod for pod in inventory.waiting if pod.namespace == namespace]
        inventory.uncounted = [pod for pod in inventory.uncounted if pod.namespace == namespace]


def _write(options: argparse.Namespace, inventory: Inventory, connection: Connection) -> None:
    is_table = options.format in {"table", "wide"}
    if is_table and not options.output and sys.stdout.isatty():
        from . import inspect_terminal, terminal  # noqa: PLC0415 - rich takes 0.1 s, and is needed only on a terminal

        inspect_terminal.show(tables.tables(inventory, wide=options.format == "wide"), terminal.console())
        return
    data = _rendered(options.format, inventory, connection.name).encode("utf-8", "backslashreplace")
    if not options.output:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        write_atomically(options.output, data)
    except OSError as error:
        raise OutputError(f"--output: {options.output}: {explain(error)}") from None


def _rendered(form: str, inventory: Inventory, cluster: str) -> str:
    if form == "json":
        return json.dumps(report.as_data(inventory), indent=2) + "\n"
    if form == "yaml":
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        return yaml.dump(report.as_data(inventory), Dumper=dumper, sort_keys=False, allow_unicode=True)
    if form == "html":
        title = f"GPUs of {cluster}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return "".join(html_page.page(inventory, title))
    found = list(tables.tables(inventory, wide=form == "wide"))
    return plain_text.written(found) if found else "No node offers a GPU, and no pod waits for one.\n"
