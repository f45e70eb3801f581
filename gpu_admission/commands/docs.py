"""The generated files: written by ``make docs``, and checked for staleness by ``make check``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import sys

from gpu_admission import rules
from gpu_admission.docpages import backends, known_backends, rule_catalogue, rule_headers
from gpu_admission.policyfile import schema

from . import chart, deployed, exempted, objects, versions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_admission.engine.rule import Rule


def _schema() -> str:
    return json.dumps(schema.schema(), indent=2, ensure_ascii=False) + "\n"


def rule_modules() -> dict[str, Rule]:
    """Return the rules by the paths of their modules below ``rules``, read from the modules, not the catalogue."""
    found: dict[str, Rule] = {}
    for folder in rules.FOLDERS:
        package = importlib.import_module(f"{rules.__name__}.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.startswith("gpu"):
                found[f"{folder}.{module.name}"] = importlib.import_module(f"{package.__name__}.{module.name}").RULE
    return found


_CATALOGUE = "gpu_admission/rules/catalogue.py"
_KNOWN = "gpu_admission/backends/known.py"
_IMPORTED = frozenset({_CATALOGUE, _KNOWN})
GENERATED: dict[str, Callable[[], str]] = {
    "policies/RULES.md": lambda: rule_catalogue.render(rules.ALL),
    "policies/policy.schema.json": _schema,
    "docs/backends.md": backends.page,
    _KNOWN: known_backends.page,
    _CATALOGUE: lambda: rule_headers.page(rule_modules()),
    **exempted.FILES,
    **deployed.FILES,
    **chart.FILES,
    **objects.FILES,
    **versions.FILES,
}


def stale(root: str) -> list[str]:
    """Return the generated files under a checkout that differ from what would be generated now.

    Where generated modules are stale, only those: the other files are made from them.
    """
    imported = [path for path in _IMPORTED if _content(os.path.join(root, path)) != GENERATED[path]()]
    return imported or [path for path, text in GENERATED.items() if _content(os.path.join(root, path)) != text()]


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
    for path in found:
        _write(path, GENERATED[path]())
    if not _IMPORTED.isdisjoint(found):
        # The old versions of these modules have been imported: start again.
        os.execv(sys.executable, [sys.executable, "-m", __spec__.name, *argv])  # noqa: S606 - this program itself
    return 0


def _write(path: str, text: str) -> None:
    """Write a file; its text is made before, because it may depend on the present content."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"wrote {path}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
