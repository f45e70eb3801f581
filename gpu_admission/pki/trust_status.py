"""Whether the certificate served verifies against what is published, told to every worker.

The one process that looks (a Kubernetes client costs half a second and tens of megabytes, too much
for each worker) leaves its answer in the serving directory. Only a recent, positive "does not verify"
about the very certificate a worker serves may make it not ready: not knowing never does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gpu_admission.safe_files import FileReadError, read_small_file, write_atomically

from .bundle import verifies
from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509

    from .bundle import BundleState

NAME = "published.json"
RECENT = 600.0  # seconds
LATEST = 253402300800  # the year 10000, which no datetime holds


def judge(observations: Iterable[BundleState | None], chain: Sequence[x509.Certificate], at: datetime) -> bool | None:
    """Tell whether a chain verifies against every bundle found.

    False as soon as one bundle was seen that does not verify it (one without any certificate too:
    the API server refuses to call such a webhook); else None if something could not be seen (None
    among the observations, a blank bundle) or there is no bundle at all; else True.
    """
    answers: list[bool | None] = []
    for found in observations:
        if found is None:
            answers.append(None)
            continue
        for bundle, blank in zip(found.bundles, found.blank, strict=True):
            answers.append(None if blank else verifies(bundle, chain, at))
    if False in answers:
        return False
    return True if answers and None not in answers else None


def write_status(directory: Path, leaf: str, verified: bool | None, now: float, at: datetime) -> None:
    """Leave the answer about a leaf (its fingerprint) for the workers; `now` is monotonic, `at` the time.

    Raises StoreError.
    """
    text = json.dumps({"leaf": leaf, "verifies": verified, "monotonic": now, "time": at.timestamp()})
    try:
        write_atomically(directory / NAME, text.encode() + b"\n", mode=0o644, follow=False)
    except OSError as error:
        raise StoreError(f"{directory / NAME}: {(error.strerror or 'failed').lower()}") from None


def read_status(directory: Path, leaf: str, now: float) -> bool | None:
    """Return the answer about a leaf; None when there is none, an old one, or an unreadable one.

    `now` is monotonic: no change of the clock makes an answer younger or older.
    """
    found = _read(directory, now)
    answer = found.get("verifies") if found.get("leaf") == leaf else None
    return answer if isinstance(answer, bool) else None


def read_time(directory: Path, now: float) -> float | None:
    """Return the time (Unix seconds) as the API server has it, None where nobody asked it lately.

    Where our clock and its differ, its counts: it is the one that looks at our certificate.
    """
    found = _read(directory, now)
    recorded = found.get("time")
    if not isinstance(recorded, int | float) or isinstance(recorded, bool) or not 0 <= recorded < LATEST:
        return None
    passed: float = now - found["monotonic"]
    return recorded + passed


def _read(directory: Path, now: float) -> dict[str, Any]:
    """Return what was left, empty when there is nothing, something old, or something unreadable."""
    try:
        found = json.loads(read_small_file(directory / NAME))
        return found if 0 <= now - found["monotonic"] <= RECENT else {}
    except (FileReadError, ValueError, TypeError, KeyError, RecursionError):
        return {}
