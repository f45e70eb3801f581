"""A parser whose error messages are one line, without the list of all flags."""

from __future__ import annotations

import argparse

from gpu_admission.core.raw import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """Exits with 2 and one line where the command line is wrong; ``--help`` has the rest."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and how to get help."""
        self.exit(2, f"{self.prog}: {escape(message)} (see {self.prog} --help)\n")
