"""``gpu-admission audit``: judge what is in the cluster by the rules of admission, and report by owner."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from gpu_admission.audit import documents, policy_reports, publish, table
from gpu_admission.audit.gpus import counts
from gpu_admission.audit.metrics import JOB, exposition
from gpu_admission.audit.run import audit
from gpu_admission.cluster.errors import ClusterError
from gpu_admission.cluster.gpu_inventory import GpuCollection
from gpu_admission.core.finding import SEVERITIES
from gpu_admission.core.raw import escape
from gpu_admission.lint.paths import UsageError
from gpu_admission.lint.report_sinks import colour
from gpu_admission.policyfile import loader
from gpu_admission.safe_files import explain, write_atomically

from . import audit_progress, push
from .cluster_flags import add_cluster_flags, connection_of, duration, namespace_of
from .cluster_progress import ProgressLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.audit.result import AuditResult
    from gpu_admission.cluster.connection import Connection
    from gpu_admission.policy.model import Policy

FORMATS = ("table", "json", "yaml", "junit", "sarif", "policyreport")
_DAYS = re.compile(r"(\d{1,5})d", re.ASCII)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``audit``; `run` takes what it parses."""
    parser = subparsers.add_parser(
        "audit",
        help="what admission would deny, repair or warn about in the cluster",
        description="Judge every object in the cluster that holds pods as admission would, and report by owner.",
        epilog="Exit code: 0 nothing at or above --fail-on, 1 findings, 2 something could not be read.",
    )
    parser.add_argument("-p", "--policy", default="default", metavar="NAME|FILE", help="the policy [default]")
    parser.add_argument("-f", "--format", choices=FORMATS, default="table", help="[table]")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.add_argument(
        "--fail-on", choices=(*SEVERITIES, "never"), default="error", help="exit 1 from this severity on [error]"
    )
    parser.add_argument("--only-denied", action="store_true", help="show only what would be denied")
    parser.add_argument("--since", type=since, metavar="TIME", help="only what was created since: 24h, 7d, 2026-11-26")
    parser.add_argument("--apply", action="store_true", help="also write the reports of -f policyreport to the cluster")
    parser.add_argument("--metrics", metavar="FILE", help="write Prometheus metrics there, for node-exporter")
    parser.add_argument("--push", metavar="URL", help="send them to the Pushgateway at http://HOST:PORT")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="[auto]")
    add_cluster_flags(parser)


def since(text: str) -> str:
    """Return a time in UTC in the API server's format, from a duration until now, a day or a time.

    Raises ArgumentTypeError for anything else.
    """
    now = datetime.now(UTC)
    try:
        days = _DAYS.fullmatch(text)
        if days:
            return (now - timedelta(days=int(days[1]))).strftime(_TIME)
        if "-" in text:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).strftime(_TIME)
        return (now - timedelta(seconds=duration(text) or 0)).strftime(_TIME)
    except (ValueError, OverflowError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time; expected a duration (24h, 7d), a day (2026-11-26) or a time (2026-11-26T08:00Z)"
        ) from None


def run(options: argparse.Namespace) -> int:
    """Return 0, 1 where findings are at or above ``--fail-on``, 2 where something could not be read or written."""
    try:
        _check(options)
        policy = loader.load(options.policy)
        connection = connection_of(options)
        gpus = GpuCollection(connection, policy) if options.metrics or options.push else None
        result = _audit(options, connection, policy, gpus)
        _report(options, result, connection)
        if gpus is not None:
            _measure(options, exposition(result, counts(gpus.finish()), int(time.time())))
    except (loader.PolicyError, ClusterError, UsageError, push.PushError) as error:
        print(f"gpu-admission audit: {error}", file=sys.stderr)
        return 2
    for message in result.messages():
        print(f"gpu-admission audit: {escape(message)}", file=sys.stderr)
    if result.errors:
        return 2
    return 1 if result.fails(options.fail_on) else 0


def _audit(
    options: argparse.Namespace, connection: Connection, policy: Policy, gpus: GpuCollection | None
) -> AuditResult:
    with ProgressLine(connection) as line:
        return audit(
            connection,
            policy,
            namespace=namespace_of(options, connection),
            since=options.since or "",
            progress=partial(audit_progress.show, line),
            gpus=gpus,
        )


def _check(options: argparse.Namespace) -> None:
    if options.apply and options.format != "policyreport":
        raise UsageError("--apply needs -f policyreport: it writes reports to the cluster")
    if options.apply and options.since:
        raise UsageError("--apply cannot be combined with --since: reports of older objects would be lost")
    for option, path in (("--output", options.output), ("--metrics", options.metrics)):
        if path and not os.path.isdir(os.path.dirname(path) or "."):
            raise UsageError(f"{option}: there is no directory {os.path.dirname(path)}")
    if options.push:
        push.check(options.push)
    if (options.metrics or options.push) and not options.all_namespaces:
        raise UsageError("--metrics and --push need -A: pods of every namespace take GPUs of a node")
    if (options.metrics or options.push) and options.since:
        raise UsageError("--metrics and --push cannot be combined with --since: they count everything")


def _report(options: argparse.Namespace, result: AuditResult, connection: Connection) -> None:
    if options.format == "table" and options.output is None and sys.stdout.isatty():
        from . import audit_terminal, terminal  # noqa: PLC0415 - rich takes 0.1 s, and is needed only on a terminal

        audit_terminal.show(result, terminal.console(options.color), only_denied=options.only_denied)
    else:
        _write(options.output, _rendered(options, result, connection))


def _rendered(options: argparse.Namespace, result: AuditResult, connection: Connection) -> str:
    only_denied = options.only_denied
    if options.format == "table":
        style = colour("never" if options.output and options.color == "auto" else options.color, sys.stdout)
        return table.render(result, style, only_denied=only_denied)
    if options.format == "policyreport":
        return _reports(options, result, connection)
    render = {
        "json": documents.to_json,
        "yaml": documents.to_yaml,
        "junit": documents.to_junit,
        "sarif": documents.to_sarif,
    }[options.format]
    return render(result, only_denied=only_denied)


def _reports(options: argparse.Namespace, result: AuditResult, connection: Connection) -> str:
    api = policy_reports.served_api(result.served)
    if api is None and options.apply:
        raise UsageError(
            "--apply: the cluster serves neither openreports.io/v1alpha1 nor wgpolicyk8s.io/v1alpha2: install the CRDs"
            " of one of them first (docs/audit.md)"
        )
    reports = policy_reports.reports(
        result, api or policy_reports.OPEN_REPORTS, int(time.time()), only_denied=options.only_denied
    )
    if not options.apply or api is None:
        return documents.dump_yaml(reports)
    written = publish.publish(connection, result.served, api, reports, result)
    return f"{written} of {len(reports)} reports of {api.api_version} applied\n"


def _measure(options: argparse.Namespace, text: str) -> None:
    if options.metrics:
        _write(options.metrics, text, option="--metrics")
    if options.push:
        push.push(options.push, JOB, text)


def _write(path: str | None, text: str, *, option: str = "--output") -> None:
    data = text.encode("utf-8", "backslashreplace")
    if path is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        write_atomically(path, data)
    except OSError as error:
        raise UsageError(f"{option}: {path}: {explain(error)}") from None
