"""The CEL rules of the GPUPolicy CustomResourceDefinition: what the loader rejects and a schema cannot express.

Each rule is attached to a place of the structural schema: names of fields, ``[]`` for the items of a list. The API
server estimates the cost of an expression from the maximum lengths of lists and strings, so those that rules read are
bounded (``BOUNDS``), beyond what any cluster needs.
"""

from __future__ import annotations

from gpu_admission.backends import cards, portable, registry
from gpu_admission.backends.per_pod import PER_POD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    Place = tuple[str, ...]

ITEMS: Final = "[]"
_CARD: Final = ("cluster", "cards", ITEMS)
_PROFILE: Final = (*_CARD, "profiles", ITEMS)
# Place -> most items of a list, or most characters of a string; a name of a resource has 253 + 1 + 63.
BOUNDS: dict[Place, int] = {
    ("cluster", "cards"): 128,
    (*_CARD, "profiles"): 64,
    (*_CARD, "model"): 63,
    (*_CARD, "memory"): 32,
    (*_CARD, "profile"): 63,
    (*_PROFILE, "name"): 63,
    (*_PROFILE, "memory"): 32,
    ("guardrails", "sharedMemory", "size"): 32,
    ("tolerations",): 256,
    ("tolerations", ITEMS, "value"): 63,
    ("resources", "extra"): 256,
    ("resources", "extra", ITEMS): 317,
    ("backend", "resource"): 317,
    ("workloads",): 256,
    ("workloads", ITEMS, "podSpecs"): 64,
    ("workloads", ITEMS, "podSpecs", ITEMS): 512,
}
# Names of extended resources: resources.is_extended, in RE2.
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_EXTENDED = rf"^{_LABEL}(\.{_LABEL})*/[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
_LONGEST_DOMAIN = 253 - len("requests.")
# A JSON Pointer that is not empty (RFC 6901).
_POINTER = r"^/([^~]|~[01])*$"
PATTERNS: dict[Place, str] = {
    ("resources", "extra", ITEMS): _EXTENDED,
    ("backend", "resource"): _EXTENDED,
    ("workloads", ITEMS, "podSpecs", ITEMS): _POINTER,
}
# Lists with a field that is unique among their items.
KEYED: dict[Place, str] = {(*_CARD, "profiles"): "name"}


def rules() -> dict[Place, list[dict[str, str]]]:
    """Return the rules (``rule``, ``message``) by their place; ``()`` is the spec."""
    return {
        (): [_single_strategy()],
        ("backend",): [_parameter(name, of) for name, of in _owners().items()],
        _CARD: _of_card(),
        **{place: [_rule(*rule)] for place, rule in _FIXED.items()},
    }


def _rule(expression: str, message: str) -> dict[str, str]:
    return {"rule": expression, "message": message}


def _quantity(field: str) -> str:
    return f"quantity(string({field}))"


def _is_amount(field: str) -> str:
    return f"isQuantity(string({field})) && {_quantity(field)}.isGreaterThan(quantity('0'))"


def _possible(field: str) -> str:
    least, most = "quantity('1Gi')", f"quantity('{portable.MOST_MEMORY}')"
    return (
        f"isQuantity(string({field})) && {_quantity(field)}.compareTo({least}) >= 0 &&"
        f" {_quantity(field)}.compareTo({most}) <= 0"
    )


_IS_EXTENDED: Final = (
    f"!self.contains('kubernetes.io/') && !self.startsWith('requests.') && self.indexOf('/') <= {_LONGEST_DOMAIN}",
    "is not a valid name of an extended resource, such as example.com/gpu",
)
# Place -> expression and message.
_FIXED: Final[dict[Place, tuple[str, str]]] = {
    ("backend", "resource"): _IS_EXTENDED,
    ("resources", "extra", ITEMS): _IS_EXTENDED,
    ("tolerations", ITEMS): (
        "!has(self.value) || self.value == '' || (has(self.operator) && self.operator == 'Equal')",
        "a toleration with operator Exists has no value",
    ),
    ("guardrails", "jobs"): (
        "!has(self.deadlineSeconds) || !has(self.longestSeconds) || self.deadlineSeconds <= self.longestSeconds",
        "deadlineSeconds must not be greater than longestSeconds",
    ),
    ("guardrails", "sharedMemory", "size"): (
        f"{_is_amount('self')} && {_quantity('self')}.isInteger()",
        "is not a valid amount of memory; write it with its unit, such as 16Gi",
    ),
    (*_CARD, "memory"): (_possible("self"), "no GPU has this memory; write it with its unit, such as 80Gi"),
    (*_PROFILE, "memory"): (_is_amount("self"), "is not a valid amount of memory, such as 9856Mi"),
}


def _of_card() -> list[dict[str, str]]:
    known = ", ".join(f"'{name}'" for name in cards.names())
    usable = "quantity(string(p.memory)).asApproximateFloat() * (has(p.count) ? double(p.count) : 1.0)"
    return [
        _rule(
            f"has(self.memory) || (has(self.profiles) && self.profiles.size() > 0) || self.model in [{known}]",
            "this model is not in the table of cards: give its memory",
        ),
        _rule(
            "!has(self.mig) || self.mig != 'single' || has(self.profile)",
            "strategy single cuts a card into one profile: name it, such as profile: 1g.10gb",
        ),
        _rule(
            "!has(self.memory) || !has(self.profiles) || !isQuantity(string(self.memory)) ||"
            " self.profiles.all(p, !isQuantity(string(p.memory)) ||"
            f" {usable} <= quantity(string(self.memory)).asApproximateFloat())",
            "a profile does not fit into the card's memory",
        ),
    ]


def _single_strategy() -> dict[str, str]:
    return _rule(
        "!has(self.backend) || self.backend.name != 'mig' || !has(self.backend.strategy) ||"
        " self.backend.strategy != 'single' || (has(self.cluster) && has(self.cluster.cards) &&"
        " self.cluster.cards.exists(c, has(c.profile) && c.profile != '' && (!has(c.mig) || c.mig == 'single')))",
        "strategy single needs a card in cluster.cards with the profile that it is cut into",
    )


def _owners() -> dict[str, list[str]]:
    """Return the backends of each parameter."""
    owners: dict[str, list[str]] = {}
    for backend in (*registry.NAMES, PER_POD):
        for parameter in registry.named(backend).parameters:
            owners.setdefault(parameter.name, []).append(backend)
    return owners


def _parameter(name: str, backends: list[str]) -> dict[str, str]:
    own = ", ".join(f"'{backend}'" for backend in backends)
    return _rule(f"!has(self.{name}) || self.name in [{own}]", f"{name} is a parameter of {', '.join(backends)} only")


def parameter_descriptions() -> dict[str, str]:
    """Return the description of each parameter, with the backends that have it."""
    found: dict[str, str] = {}
    for name, backends in _owners().items():
        meanings: dict[str, list[str]] = {}
        for backend in backends:
            parameter: Any = next(each for each in registry.named(backend).parameters if each.name == name)
            default = parameter.default
            text = parameter.description + ("" if default is None else f"; default: {str(default).lower()}")
            meanings.setdefault(text, []).append(backend)
        found[name] = "\n".join(f"{', '.join(of)}: {text}" for text, of in meanings.items())
    return found
