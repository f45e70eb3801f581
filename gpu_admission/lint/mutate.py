"""``gpu-admission mutate``: manifests as admission would change them, and what it would deny."""

from __future__ import annotations

import sys

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.manifests import reader
from gpu_admission.policyfile import loader
from gpu_admission.yamledit import apply_patch

from . import inputs, run_index
from .paths import printed
from .write import unified_diff

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from gpu_admission.core.finding import Finding
    from gpu_admission.core.patch import Operation
    from gpu_admission.manifests.reader import Document
    from gpu_admission.workloads import workload as workloads
    from gpu_admission.workloads.claim_index import ClaimIndex

    from .inputs import Input


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``mutate``; `run` takes what it parses."""
    mutate = subparsers.add_parser(
        "mutate",
        help="show what the cluster would run",
        description="Print manifests with the webhook's repairs of their Pods applied; findings for which admission "
        "would deny them go to standard error.",
    )
    mutate.add_argument("-p", "--policy", default="default", metavar="NAME|FILE", help="the policy [default]")
    mutate.add_argument("--diff", action="store_true", help="print only what changes, as a patch")
    mutate.add_argument("paths", metavar="PATH", nargs="+", help="files, directories, - for standard input")


def run(options: argparse.Namespace) -> int:
    """Return 0, 1 where admission would deny something, 2 where something could not be read."""
    try:
        policy = loader.load(options.policy)
    except loader.PolicyError as error:
        print(f"gpu-admission mutate: {error}", file=sys.stderr)
        return 2
    return each(options.paths, File, lambda index: Engine(rules.ALL, policy, index), diff=options.diff)


def each(
    paths: list[str], made: Callable[[Input, Engine], File], engine: Callable[[ClaimIndex], Engine], *, diff: bool
) -> int:
    """Show every file of the paths, as ``made`` of an input and an engine; return the worst exit code."""
    walker = inputs.Walker(exclude=None, folder=".", use_gitignore=True, stdin_name=inputs.STDIN)
    found = walker.find(paths)
    worst = 0
    for source, why in found.broken:
        print(f"{printed(source.name)}: {why}", file=sys.stderr)
        worst = 2
    if not found.inputs and not found.broken:
        print("gpu-admission: no YAML or JSON file to read", file=sys.stderr)
    several = len(found.inputs) > 1
    one = engine(run_index.of(found.inputs))
    for source in found.inputs:
        worst = max(worst, made(source, one).show(diff=diff, several=several))
    return worst


class File:
    """One input that is changed as at admission."""

    command = "mutate"

    def __init__(self, source: Input, engine: Engine) -> None:
        self._source = source
        self._engine = engine
        self._denied: list[tuple[Document, Finding]] = []

    def show(self, *, diff: bool, several: bool) -> int:
        """Print the changed file, and what would be denied; return the exit code."""
        try:
            data = self._source.read()
        except inputs.UnreadableInputError as error:
            print(f"{printed(self._source.name)}: {error}", file=sys.stderr)
            return 2
        reading = reader.read(data, self._source.name)
        if reading.errors or reading.skipped:
            self._print_problems(reading)
            return 2
        self._engine.claim_index.enter([document.object for document in reading.documents])
        new = apply_patch.rewrite(reading, data, self._operations)
        if diff:
            shown = unified_diff(data, new.data, self._source.relative)
        else:
            shown = (b"" if not several else b"---\n" * (not new.data.startswith(b"---"))) + _ended(new.data)
        sys.stdout.flush()
        sys.stdout.buffer.write(shown)
        if new.reformatted:
            print(f"{printed(self._source.name)}: rewritten: {new.reformatted}", file=sys.stderr)
        return self._deny()

    def _operations(self, document: Document) -> Sequence[Operation]:
        if all(self._is_exempt(workload) for workload in self._engine.read(document.object)):
            return ()
        review = self._engine.review(document.object)
        self._denied += [(document, f) for f in review.findings if self._denies(f) and not f.repaired]
        return review.mutation.patch

    def _denies(self, finding: Finding) -> bool:
        return finding.action == "deny"

    def _is_exempt(self, workload: workloads.Workload) -> bool:
        return not self._engine.policy.judges(workload.ref.namespace)

    def _deny(self) -> int:
        for document, finding in self._denied:
            place = document.position(finding.pointer)
            where = f"{printed(self._source.name)}:{place.line}:{place.column}"
            print(f"{where}: {finding.rule} {finding.message}; {finding.advice}", file=sys.stderr)
        return 1 if self._denied else 0

    def _print_problems(self, reading: reader.Reading) -> None:
        name = printed(self._source.name)
        for error in reading.errors:
            print(f"{name}:{error.line or 1}:{error.column or 1}: {error.message}", file=sys.stderr)
        if reading.skipped:
            print(
                f"{name}: contains template braces: helm template … | gpu-admission {self.command} -", file=sys.stderr
            )


def _ended(data: bytes) -> bytes:
    return data if data.endswith(b"\n") or not data else data + b"\n"
