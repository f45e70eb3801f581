"""Error messages for policy files."""

from __future__ import annotations

from typing import Any

from gpu_admission.backends import cards, portable
from gpu_admission.core import byte_amounts, quantity
from gpu_admission.core import pointer as pointers
from gpu_admission.core.pointer import Pointer
from gpu_admission.core.raw import as_dict, format_value, iter_dicts
from gpu_admission.core.typos import did_you_mean, suggestion

from . import schema, schema_lookup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

Mistake = tuple[Pointer, str]

_WANTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "string_type": "a string",
}  # by pydantic's type of error, whose own messages name Python types
_LEAST_CARD = quantity.GIB  # bytes; the smallest card has more


def explain(errors: list[Any], document: object) -> list[Mistake]:
    """Return pydantic's errors as mistakes: the place, and a message with the value and what is valid."""
    mistakes: dict[Mistake, None] = {}
    found = [(_place(document, error["loc"]), error) for error in errors]
    for place, error in found:
        if not _of_the_other_form(place, error, found):
            mistakes[place, _message(error, place)] = None
    return list(mistakes)


def _of_the_other_form(place: Pointer, error: Any, found: list[tuple[Pointer, Any]]) -> bool:
    """Return whether an error is about the alternative not chosen, where both a string and a mapping are valid."""
    if error["type"] == "model_type":
        return any(other["type"] == "literal_error" and at == place for at, other in found)
    return (
        error["type"] == "literal_error"
        and isinstance(error["input"], dict)
        and any(len(at) > len(place) and pointers.starts_with(at, place) for at, _ in found)
    )


def _place(document: object, location: tuple[str | int, ...]) -> Pointer:
    """Return the part of pydantic's location that exists in the document, without models and unions."""
    place: Pointer = ()
    for token in location:
        if token == "[key]":
            break
        if pointers.exists(document, (*place, token)):
            place = (*place, token)
    return place


def _message(error: dict[str, Any], place: Pointer) -> str:
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        word = str(place[-1])
        return f"unknown key {word!r}{did_you_mean(word, schema_lookup.valid_keys(error['loc'][:-1]))}"
    if kind == schema.UNKNOWN_RULE:
        return _unknown_rule(str(place[2]))
    if kind == "missing":
        return f"the key {error['loc'][-1]!r} is missing"
    if kind == "literal_error":
        return f"{format_value(value)} is not valid here{did_you_mean(str(value), schema_lookup.choices(error['loc']))}"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        name = as_dict(value).get("name")
        return f"there is no backend {format_value(name)}{did_you_mean(str(name), list(schema.BACKENDS))}"
    return str(error["ctx"]["error"]) if kind == "value_error" else _mismatch(kind, str(error["msg"]), value)


def _mismatch(kind: str, message: str, value: object) -> str:
    message = f"expected {_WANTED[kind]}" if kind in _WANTED else f"{message[:1].lower()}{message[1:]}"
    return f"{message}, got {format_value(value)}"


def _unknown_rule(word: str) -> str:
    named = schema_lookup.rule_named(word)
    if named is not None:
        return f"name rules by their ID{suggestion(named.id)}"
    return f"there is no rule {word!r}{did_you_mean(word, schema_lookup.valid_keys(('spec', 'rules')))}"


def facts(document: object) -> list[Mistake]:
    """Return mistakes that the schema cannot express: cards that do not exist, profiles that no card has."""
    spec = as_dict(as_dict(document).get("spec"))
    mistakes: list[Mistake] = []
    for index, card in iter_dicts(as_dict(spec.get("cluster")).get("cards")):
        mistakes += [(("spec", "cluster", "cards", index, *place), value) for place, value in _card(card)]
    return mistakes or _strategy(spec)


def _card(value: dict[str, Any]) -> list[Mistake]:
    """Return the mistakes of a card of ``cluster.cards``."""
    model = value["model"]
    if not cards.known(model) and value.get("memory") is None and not value.get("profiles"):
        return [
            (("model",), f"there is no card {model!r} in the table: give its memory{did_you_mean(model, _models())}")
        ]
    card = cards.gpu_model(value)
    mistakes: list[Mistake] = []
    if not _LEAST_CARD <= card.memory <= portable.MOST_MEMORY:
        place = ("memory",) if value.get("memory") is not None else ("profiles",)
        mistakes.append((place, f"no GPU has {_amount(card.memory)} of memory; write it with its unit, such as 80Gi"))
    return [*mistakes, *_profiles(value, card), *_mig(model, card)]


def _mig(model: str, card: cards.GpuModel) -> list[Mistake]:
    """Return the mistakes of a card's MIG settings."""
    mistakes: list[Mistake] = []
    if card.profile is not None and card.profile_named(card.profile) is None:
        names = ", ".join(profile.name for profile in card.profiles) or "none in the table"
        mistakes.append((("profile",), f"{model} has no MIG profile {card.profile!r}; it has: {names}"))
    if card.mig == "single" and card.profile is None:
        mistakes.append((("mig",), "strategy single cuts a card into one profile: name it, such as profile: 1g.10gb"))
    if card.mig in {"mixed", "single"} and not card.profiles:
        mistakes.append((("mig",), f"which MIG profiles {model} has is not in the table: give its profiles"))
    return mistakes


def _models() -> list[str]:
    return list(cards.models())


def _amount(count: int) -> str:
    return f"{count} bytes" if count < quantity.KIB else byte_amounts.format_bytes(count)


def _profiles(value: dict[str, Any], card: cards.GpuModel) -> list[Mistake]:
    """Return the mistakes of the profiles of a card."""
    mistakes: list[Mistake] = []
    seen: set[str] = set()
    for index, entry in iter_dicts(value.get("profiles")):
        profile = cards.MigProfile(entry["name"], quantity.parse(entry["memory"]).ceil(), entry.get("count"))
        if profile.name in seen:
            mistakes.append((("profiles", index, "name"), f"the profile {profile.name} is given twice"))
        elif profile.memory * (profile.count or 1) > card.memory:
            times = f"{profile.count} times " if (profile.count or 1) > 1 else ""
            has = f"{times}{_amount(profile.memory)} is more than the {_amount(card.memory)} of {card.model}"
            mistakes.append((("profiles", index, "memory"), f"the profile {profile.name} does not fit: {has}"))
        seen.add(profile.name)
    return mistakes


def _strategy(spec: Mapping[str, Any]) -> list[Mistake]:
    """Return the mistakes of MIG's strategy: single needs the profile of a card."""
    backend = as_dict(spec.get("backend"))
    if backend.get("name") != "mig" or backend.get("strategy") != "single":
        return []
    found = iter_dicts(as_dict(spec.get("cluster")).get("cards"))
    if any(card.get("profile") and card.get("mig") in {None, "single"} for _, card in found):
        return []
    message = "strategy single needs a card in cluster.cards with the profile that it is cut into"
    return [(("spec", "backend", "strategy"), message)]
