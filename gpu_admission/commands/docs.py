"""The generated files: written anew by ``make docs``, and checked for staleness by ``make check``."""

from __future__ import annotations

import argparse
import json
import os
import sys

from gpu_admission import rules
from gpu_admission.docpages import backends, known_backends, rule_catalogue
from gpu_admission.policyfile import schema

from . import chart, deployed, exempted, objects, versions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _schema() -> str:
    return json.dumps(schema.schema(), indent=2, ensure_ascii=False) + "\n"


_KNOWN = "gpu_admission/backends/known.py"
GENERATED: dict[str, Callable[[], str]] = {
    "policies/RULES.md": lambda: rule_catalogue.render(rules.ALL),
    "policies/policy.schema.json": _schema,
    "docs/backends.md": backends.page,
    _KNOWN: known_backends.page,
    **exempted.FILES,
    **deployed.FILES,
    **chart.FILES,
    **objects.FILES,
    **versions.FILES,
}


def stale(root: str) -> list[str]:
    """Return the generated files under a checkout that differ from what would be generated now."""
    return [path for path, text in GENERATED.items() if _content(os.path.join(root, path)) != text()]


def _content(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def main(argv: Sequence[str]) -> int:
    """Write the generated files under the current directory, or with ``--check`` name those that are stale."""
    parser = argparse.ArgumentParser(prog="python -m gpu_admission.commands.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is stale")
    options = parser.parse_args(argv)
    found = stale(".")
    if options.check:
        for path in found:
            print(f"{path} is stale: run make docs", file=sys.stderr)
        return 1 if found else 0
    if _KNOWN in found:
        # What rules and conditions are made of was read when they were imported: begin anew with it.
        _write(_KNOWN, GENERATED[_KNOWN]())
        os.execv(sys.executable, [sys.executable, "-m", __spec__.name, *argv])  # noqa: S606 - this program itself
    for path in found:
        _write(path, GENERATED[path]())
    return 0


def _write(path: str, text: str) -> None:
    """Write a file whole; its text was made before, perhaps of what stands in it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"wrote {path}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
