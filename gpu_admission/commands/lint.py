"""The ``gpu-lint`` command."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_YOUNG = 50_000  # new containers between two looks of the garbage collector


def main(argv: Sequence[str] | None = None) -> int:
    """Run gpu-lint with these arguments (those of the process by default) and return the exit status."""
    from gpu_admission.cli import run  # noqa: PLC0415 - an interrupt may come while modules load

    return run.main(sys.argv[1:] if argv is None else argv)


def entry() -> NoReturn:
    """Be the process: end it with the exit status, and with 130 after an interrupt."""
    # Loading modules makes thousands of objects that stay, and looking through them again and again for garbage
    # costs a tenth of a run on a small file.
    gc.set_threshold(_YOUNG, 20, 20)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    entry()
