"""The ``gpu-lint`` command."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_YOUNG = 50_000  # new containers between two garbage collections


def main(argv: Sequence[str] | None = None) -> int:
    """Run gpu-lint with these arguments (those of the process by default) and return the exit status."""
    from gpu_admission.lint import run  # noqa: PLC0415 - an interrupt may come while modules load

    return run.main(sys.argv[1:] if argv is None else argv)


def entry() -> NoReturn:
    """Run as the console script; exit with the status, and with 130 after an interrupt."""
    # Loading modules makes thousands of objects that stay; collecting garbage among them costs a tenth of a run on a
    # small file.
    gc.set_threshold(_YOUNG, 20, 20)
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process without freeing all those objects first: everything is written by now."""
    if "multiprocessing" in sys.modules:  # it has to end its worker processes
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        try:  # not contextlib: start-up time
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    os._exit(code)


if __name__ == "__main__":
    entry()
