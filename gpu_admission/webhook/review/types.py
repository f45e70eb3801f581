"""The interface between the server and the decision: bytes in, a Response out.

The server does not parse reviews and the decision has no socket, so each is tested without the other and the server can
be replaced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from gpu_admission.policy.model import Policy as Policy  # noqa: PLC0414
from gpu_admission.policyfile.loader import PolicyError as PolicyError  # noqa: PLC0414 - what Load raises

if TYPE_CHECKING:
    from gpu_admission.webhook.policy_store import PolicyStore

Headers = tuple[tuple[bytes, bytes], ...]

JSON: Headers = ((b"content-type", b"application/json"),)
RETRY: Headers = (*JSON, (b"retry-after", b"1"))


class ReviewRecord(TypedDict, total=False):
    """What the log line and the metrics record of one review: names and decisions, never an object's content."""

    uid: str
    operation: str
    kind: str
    namespace: str
    name: str
    policy: str
    decision: str  # allowed | denied | mutated | error
    rules: Collection[tuple[str, str]]  # (rule, action) of every finding
    applied: Collection[str]  # rules whose fixes are in the patch


class Response(NamedTuple):
    """An HTTP response (status 100..599, whole body, lower-case header names) and its record."""

    status: int
    body: bytes
    headers: Headers = JSON
    record: ReviewRecord = ReviewRecord()


def error_body(status: int, sentence: str) -> bytes:
    """Return an error as one line of JSON: ``{"error": …, "status": …}``."""
    return json.dumps({"error": sentence, "status": status}).encode() + b"\n"


ReviewHandler = Callable[[bytes, str, "str | None"], Response]
"""(body, ``"validate"`` or ``"mutate"``, policy name or None for the first) -> Response. Must be thread-safe."""

Load = Callable[[str], Policy]
"""A shipped policy's name or a file's path -> policy; raises PolicyError."""


class ReviewEngine(NamedTuple):
    """The decision as the server uses it: how to load policies, and how to judge under a set of them."""

    load: Load
    decider: Callable[[PolicyStore], ReviewHandler]
    kinds: Callable[[Mapping[str, Policy]], Collection[str]] = lambda _: ("Pod",)
    """Kinds that may be a label of metrics: a bounded number, regardless of what clients send."""
