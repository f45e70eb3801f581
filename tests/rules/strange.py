"""Objects of which any one part has been replaced by something that does not belong there."""

import copy

import jsonpatch

from gpu_admission.core import patch

STRANGE = (
    None, 0, -1, 1.5, True, "", "x", "$(", "0.5", "1e1000000", 10**400, [], {}, [None], [[]], ["x"], {"x": None},
    {"name": None}, [{"name": 1}],
)  # fmt: skip


def places(value, at=()):
    """Every place of a document but its root, the outer before the inner."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(item, (*at, key))


def replaced(obj, place, strange):
    made = copy.deepcopy(obj)
    here = made
    for step in place[:-1]:
        here = here[step]
    here[place[-1]] = strange
    return made


def variants(obj, turns):
    """The object with each of its parts replaced, by as many values as there are turns, each in its turn."""
    for number, place in enumerate(places(obj)):
        for turn in turns:
            yield replaced(obj, place, STRANGE[(5 * number + 3 * turn) % len(STRANGE)])


def verify(engine, made, origin, **fixes):
    """Rules do not fail on it; fixes are valid operations, do not modify it, and leave nothing to fix."""
    before = copy.deepcopy(made)
    mutation = engine.mutate(made, origin, **fixes)
    assert made == before
    assert jsonpatch.apply_patch(made, patch.to_json(mutation.patch)) == mutation.object
    assert not engine.mutate(mutation.object, origin, **fixes).patch, made
    for finding in engine.validate(made, origin):
        assert len(finding.message) < 1000
        assert finding.message.isprintable()
