"""``kubectl gpu-admission …``: the same commands as a plugin of kubectl, and what its completion offers.

kubectl runs ``kubectl-gpu_admission`` from PATH, and ``kubectl_complete-gpu_admission`` with the words of the line so
far: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/, https://github.com/kubernetes/kubernetes
(pkg: staging/src/k8s.io/kubectl/pkg/cmd/plugin/plugin_completion.go). The answer is a line a word and, at last, what
the shell shall do with them, as cobra encodes it.
"""

from __future__ import annotations

import argparse
import sys

from .main import complete_parser, main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROGRAM = "kubectl gpu-admission"
FILES, NO_FILES = ":0", ":4"  # cobra's ShellCompDirectiveDefault and ShellCompDirectiveNoFileComp
_NAMESPACE_TIMEOUT = 2.0  # seconds that a key press may take


def entry() -> None:
    """Run as the program that kubectl calls."""
    sys.exit(main(sys.argv[1:], PROGRAM))


def complete_entry() -> None:
    """Run as the program that kubectl runs for completions."""
    sys.stdout.write("".join(f"{line}\n" for line in completions(sys.argv[1:])))


def completions(words: Sequence[str]) -> list[str]:
    """Return what may stand in the place of the last word, and the directive."""
    *before, current = words or [""]
    line = _Line(complete_parser())
    for word in before:
        line.read(word)
    found = line.offered(current)
    if found is None:
        return [FILES]
    return [*sorted(word for word in found if word.startswith(current)), NO_FILES]


class _Line:
    """A command line as far as it is written."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._pending: argparse.Action | None = None  # an option that waits for its value
        self._given: dict[str, str] = {}

    def read(self, word: str) -> None:
        """Take in a finished word."""
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

    def offered(self, current: str) -> Iterable[str] | None:
        """Return the words that may come now; None where files may."""
        if self._pending is not None:
            return self._values(self._pending)
        if current.startswith("-"):
            return self._options()
        commands = self._commands()
        if commands is not None:
            return list(commands.choices)
        chosen = [action.choices for action in self._parser._actions if not action.option_strings and action.choices]  # noqa: SLF001
        return [str(word) for words in chosen for word in words] or None

    def _options(self) -> dict[str, argparse.Action]:
        return self._parser._option_string_actions  # noqa: SLF001 - argparse lists its options nowhere else

    def _commands(self) -> argparse._SubParsersAction[argparse.ArgumentParser] | None:
        found = (each for each in self._parser._actions if isinstance(each, argparse._SubParsersAction))  # noqa: SLF001
        return next(found, None)

    def _values(self, action: argparse.Action) -> Iterable[str] | None:
        if action.choices is not None:
            return [str(choice) for choice in action.choices]
        if action.dest == "context":
            return _contexts(self._given.get("kubeconfig"))
        if action.dest == "namespace":
            return _namespaces(self._given)
        metavar = str(action.metavar or "")
        return None if "FILE" in metavar or "DIR" in metavar or "PATH" in metavar else ()


def _contexts(path: str | None) -> list[str]:
    from gpu_admission.cluster import kubeconfig  # noqa: PLC0415 - where it is requested
    from gpu_admission.cluster.errors import ConnectError  # noqa: PLC0415

    try:
        return kubeconfig.names(kubeconfig.paths(path))
    except ConnectError:
        return []


def _namespaces(given: dict[str, str]) -> list[str]:
    """Ask the cluster for its namespaces; none where it does not answer at once."""
    from gpu_admission.cluster import lists  # noqa: PLC0415 - where it is requested
    from gpu_admission.cluster.connect import ConnectOptions, connect  # noqa: PLC0415
    from gpu_admission.cluster.discovery import ServedKind  # noqa: PLC0415
    from gpu_admission.cluster.errors import ClusterError  # noqa: PLC0415

    kind = ServedKind("", "v1", "namespaces", "Namespace", namespaced=False)
    options = ConnectOptions(given.get("context"), given.get("kubeconfig"), _NAMESPACE_TIMEOUT, given.get("as_user"))
    try:
        return [str(each["metadata"]["name"]) for each in lists.objects(connect(options), kind)]
    except (ClusterError, KeyError, ImportError):
        return []
