"""``gpu-admission completion``: the script by which a shell completes our commands and their flags."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``completion``; `run` takes what it parses."""
    parser = subparsers.add_parser(
        "completion",
        help="completion for a shell",
        epilog="To load it: source <(gpu-admission completion bash). For gpu-lint: gpu-lint --completion bash.",
    )
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> int:
    """Print the script. Raises ModuleNotFoundError where shtab is not installed."""
    import shtab  # noqa: PLC0415 - for this command only

    from .main import complete_parser  # noqa: PLC0415 - which imports this module

    sys.stdout.write(shtab.complete(complete_parser(), options.shell) + "\n")
    return 0
