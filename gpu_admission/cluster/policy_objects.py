"""GPUPolicy objects as they were last seen: checked, written into a directory for the server, and given a status."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_admission.core.raw import as_dict
from gpu_admission.policyfile import crd, loader, object_files
from gpu_admission.registration import any_policy

from . import policy_status
from .errors import ClusterError, NotServedError, StaleWriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .connection import Connection
    from .lease import Elector
    from .watch import Seen

RETRY = 30.0  # seconds after a status could not be written
_MERGE_PATCH = "application/merge-patch+json"


class State(NamedTuple):
    """What is known of one object.

    ``outline`` has the fields that its status depends on, ``content`` those that reviews depend on (None where it is
    not kept), ``mistakes`` why that cannot be used, and ``notes`` hints for its author.
    """

    seen: Seen
    outline: dict[str, Any]
    content: bytes | None
    mistakes: tuple[str, ...]
    notes: tuple[str, ...]


class PolicyObjects:
    """Keeps a directory in sync with the objects of a `watch.Reflector`."""

    def __init__(self, writer: object_files.ObjectWriter) -> None:
        self._writer = writer
        self._states: dict[str, State] = {}

    @property
    def states(self) -> Iterable[State]:
        """The objects in the order of their names."""
        return self._states.values()

    def take(self, objects: Mapping[str, Seen], problem: str) -> None:
        """Apply the latest objects. Raises OSError where the directory cannot be written."""
        states: dict[str, State] = {}
        total = 0
        for name in sorted(objects):
            known = self._states.get(name)
            states[name] = self._state(objects[name], known, total)
            total += len(states[name].content or b"")
        self._states = states
        active = [name for name, state in states.items() if policy_status.active_generation(state.outline)]
        self._writer.write({name: state.content for name, state in states.items()}, active, problem)

    def _state(self, seen: Seen, known: State | None, total: int) -> State:
        same = known is not None and known.seen == seen and known.content is not None
        if same and known is not None and not self._writer.refusal(seen.name, known.content or b"", total):
            return known
        obj = _decoded(seen.data)
        if obj is None:
            return State(seen, {}, None, ("the object: is not a JSON object, or is nested too deeply",), ())
        spec = as_dict(obj.get("spec"))
        outline = {"metadata": obj["metadata"], "spec": {"match": spec.get("match")}, "status": obj.get("status")}
        outline["metadata"].pop("managedFields", None)
        try:
            data = object_files.content(obj)
        except RecursionError:
            return State(seen, outline, None, ("the object: is nested too deeply",), ())
        refusal = self._writer.refusal(seen.name, data, total)
        if refusal:
            return State(seen, outline, None, (refusal,), ())
        if known is not None and known.content == data:  # only its status or its labels changed
            return State(seen, outline, data, known.mistakes, known.notes)
        mistakes = tuple(loader.check_object(json.loads(data)))
        return State(seen, outline, data, mistakes, () if mistakes else any_policy.beyond(spec))


def _decoded(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("metadata"), dict) else None


class StatusWriter:
    """Writes the status of objects where it is outdated, while we hold the Lease."""

    def __init__(
        self,
        connection: Connection,
        elector: Elector,
        *,
        problem: Callable[[str], None],
        written: Callable[[str, dict[str, Any]], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._elector = elector
        self._problem = problem
        self._written = written
        self._clock = clock
        self._now = now
        self._done: dict[str, Seen] = {}  # versions whose status was written, until the watch brings newer ones
        self._not_before = 0.0

    def write(self, states: Iterable[State]) -> None:
        """Write what is due and renew the Lease in between. Never raises a ClusterError."""
        shadow = ""
        names = set()
        for state in states:
            name = state.seen.name
            names.add(name)
            if not self._elector.tick():
                return
            if self._clock() >= self._not_before and self._done.get(name) != state.seen:
                self._write(state, shadow)
            if not shadow and not state.mistakes and policy_status.is_for_all(state.outline):
                shadow = name
        self._done = {name: seen for name, seen in self._done.items() if name in names}

    def _write(self, state: State, shadow: str) -> None:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        status = policy_status.desired(state.outline, state.mistakes, shadow=shadow, notes=state.notes, now=now)
        if status is None:
            return
        body = {"metadata": {"resourceVersion": state.seen.version}, "status": status}
        path = f"{crd.PATH}/{state.seen.name}/status"
        try:
            self._connection.write("PATCH", path, body, content=_MERGE_PATCH)
        except (StaleWriteError, NotServedError):  # changed or deleted meanwhile: the watch brings the next version
            self._done[state.seen.name] = state.seen
        except ClusterError as error:
            self._not_before = self._clock() + RETRY
            self._problem(str(error))
        else:
            self._done[state.seen.name] = state.seen
            self._problem("")
            self._written(state.seen.name, status)
