"""``kubectl gpu-admission …``: the same commands as a plugin of kubectl, and its completion.

kubectl runs ``kubectl-gpu_admission`` from PATH, and ``kubectl_complete-gpu_admission`` with the words of the line so
far: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/, https://github.com/kubernetes/kubernetes
(pkg: staging/src/k8s.io/kubectl/pkg/cmd/plugin/plugin_completion.go). The output is one line per word and, at the end,
cobra's directive for the shell.
"""

from __future__ import annotations

import argparse
import sys

from . import cluster_names
from .main import COMMANDS, command_parser, main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROGRAM = "kubectl gpu-admission"
FILES, NO_FILES = ":0", ":4"  # cobra's ShellCompDirectiveDefault and ShellCompDirectiveNoFileComp


def entry() -> None:
    """Entry point of ``kubectl-gpu_admission``."""
    sys.exit(main(sys.argv[1:], PROGRAM))


def complete_entry() -> None:
    """Entry point of ``kubectl_complete-gpu_admission``."""
    sys.stdout.write("".join(f"{line}\n" for line in completions(sys.argv[1:])))


def completions(words: Sequence[str]) -> list[str]:
    """Return the candidates for the last word, and the directive."""
    *before, current = words or [""]
    line = _Line(command_parser(next((word for word in before if word in COMMANDS), None)))
    for word in before:
        line.read(word)
    prefix = ""
    if current.startswith("-") and "=" in current:  # --context=VALUE is one word
        name, _, current = current.partition("=")
        line.read(name)
        prefix = f"{name}="
    found = line.offered(current)
    if found is None:
        return [FILES]
    return [*(f"{prefix}{word}" for word in sorted(set(found)) if word.startswith(current)), NO_FILES]


class _Line:
    """A command line as far as it is typed."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._pending: argparse.Action | None = None  # an option whose value comes next
        self._given: dict[str, str] = {}
        self._arguments: list[str] = []

    def read(self, word: str) -> None:
        """Parse one complete word."""
        if self._pending is not None:
            self._given[self._pending.dest] = word
            self._pending = None
            return
        name, equals, value = word.partition("=")
        action = self._options().get(name)
        if action is not None and equals:
            self._given[action.dest] = value
        elif action is not None and action.nargs != 0:
            self._pending = action
        elif action is None:
            commands = self._commands()
            if commands is not None and word in commands.choices:
                self._parser = commands.choices[word]
            else:
                self._arguments.append(word)

    def offered(self, current: str) -> Iterable[str] | None:
        """Return the candidates for the next word; None for files."""
        if self._pending is not None:
            return self._values(self._pending)
        if current.startswith("-"):
            return self._options()
        commands = self._commands()
        if commands is not None:
            return list(commands.choices)
        arguments = [action for action in self._parser._actions if not action.option_strings]  # noqa: SLF001
        if any(action.dest == "nodes" for action in arguments):
            return [name for name in cluster_names.listed("nodes", self._given) if name not in self._arguments]
        words = [str(word) for action in arguments for word in action.choices or ()]
        return words if words or not arguments else None

    def _options(self) -> dict[str, argparse.Action]:
        return self._parser._option_string_actions  # noqa: SLF001 - argparse has no public list of options

    def _commands(self) -> argparse._SubParsersAction[argparse.ArgumentParser] | None:
        found = (each for each in self._parser._actions if isinstance(each, argparse._SubParsersAction))  # noqa: SLF001
        return next(found, None)

    def _values(self, action: argparse.Action) -> Iterable[str] | None:
        if action.choices is not None:
            return [str(choice) for choice in action.choices]
        if action.dest == "context":
            return cluster_names.contexts(self._given.get("kubeconfig"))
        if action.dest == "namespace":
            return cluster_names.listed("namespaces", self._given)
        metavar = str(action.metavar or "")
        return None if "FILE" in metavar or "DIR" in metavar or "PATH" in metavar else ()
