"""The ``gpu-lint`` command."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> int:
    """Run gpu-lint with these arguments (those of the process by default) and return the exit status."""
    from gpu_admission.cli import run  # noqa: PLC0415 - an interrupt may come while modules load

    return run.main(sys.argv[1:] if argv is None else argv)


def entry() -> NoReturn:
    """Be the process: end it with the exit status, and with 130 after an interrupt."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    entry()
