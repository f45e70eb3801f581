"""The ``gpu-lint`` command."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_YOUNG = 50_000  # new containers between two looks of the garbage collector


def main(argv: Sequence[str] | None = None) -> int:
    """Run gpu-lint with these arguments (those of the process by default) and return the exit status."""
    from gpu_admission.lint import run  # noqa: PLC0415 - an interrupt may come while modules load

    return run.main(sys.argv[1:] if argv is None else argv)


def entry() -> NoReturn:
    """Be the process: end it with the exit status, and with 130 after an interrupt."""
    # Loading modules makes thousands of objects that stay, and looking through them again and again for garbage
    # costs a tenth of a run on a small file.
    gc.set_threshold(_YOUNG, 20, 20)
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process without taking all those objects apart first: everything is written by now."""
    if "multiprocessing" in sys.modules:  # which has processes of its own to see off
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        try:  # contextlib is a part of start-up that nothing else needs
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    os._exit(code)


if __name__ == "__main__":
    entry()
