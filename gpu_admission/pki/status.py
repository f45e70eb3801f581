"""Whether the certificate served verifies against what is published, told to every worker.

The one process that looks (a Kubernetes client costs half a second and tens of megabytes, too much
for each worker) leaves its answer in the serving directory. Only a recent, positive "does not verify"
about the very certificate a worker serves may make it not ready: not knowing never does.
"""

from __future__ import annotations

import json
import os
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gpu_admission.pki.bundle import verifies
from gpu_admission.pki.errors import PairError, StoreError
from gpu_admission.pki.pair import read_small_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cryptography import x509

    from gpu_admission.pki.store import Found

NAME = "published.json"
RECENT = timedelta(minutes=10)


def judge(looks: Iterable[Found | None], chain: Sequence[x509.Certificate], at: datetime) -> bool | None:
    """Tell whether a chain verifies against every bundle found.

    False as soon as one bundle was seen that does not verify it (one without any certificate too:
    the API server refuses to call such a webhook); else None if something could not be seen (None
    among the looks, a blank bundle) or there is no bundle at all; else True.
    """
    answers: list[bool | None] = []
    for found in looks:
        if found is None:
            answers.append(None)
            continue
        for bundle, blank in zip(found.bundles, found.blank, strict=True):
            answers.append(None if blank else verifies(bundle, chain, at))
    if False in answers:
        return False
    return True if answers and None not in answers else None


def write_status(directory: Path, leaf: str, verified: bool | None, at: datetime) -> None:
    """Leave the answer about a leaf (its fingerprint) for the workers. Raises StoreError."""
    text = json.dumps({"leaf": leaf, "verifies": verified, "at": at.isoformat()})
    fresh = directory / f".{NAME}-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
        fresh.replace(directory / NAME)
    except OSError as error:
        raise StoreError(f"{directory / NAME}: {(error.strerror or 'failed').lower()}") from None


def read_status(directory: Path, leaf: str, at: datetime) -> bool | None:
    """Return the answer about a leaf; None when there is none, an old one, or an unreadable one."""
    try:
        found = json.loads(read_small_file(directory / NAME))
        recent = timedelta(0) <= at - datetime.fromisoformat(found["at"]) <= RECENT
        answer = found["verifies"] if found["leaf"] == leaf and recent else None
    except (PairError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return answer if isinstance(answer, bool) else None
