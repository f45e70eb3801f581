"""What is valid at a place of a policy file, for error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_origin

from pydantic import BaseModel

from gpu_admission import rules

from .schema import PolicyFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.engine.rule import Rule


def valid_keys(location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that are valid at a place of a policy file: fields, rule IDs."""
    if location == ("spec", "rules"):
        return [*rules.BY_ID, *(rule.name for rule in rules.ALL)]
    return sorted({name for found in _models(_at(location)) for name in _keys(found)})


def choices(location: tuple[str | int, ...]) -> list[str]:
    """Return the valid values of an enumeration at a place, in the order of the schema."""
    return list(dict.fromkeys(_literals(_at(location))))


def rule_named(name: str) -> Rule | None:
    """Return the rule of a name, for names that are written in place of IDs."""
    return next((rule for rule in rules.ALL if rule.name == name), None)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _at(location: tuple[str | int, ...]) -> Any:
    """Return the annotation at pydantic's location of an error."""
    annotation: Any = PolicyFile
    for token in location:
        annotation = _inside(annotation, token)
    return annotation


def _literals(annotation: Any) -> Iterator[str]:
    """Yield the values of every Literal in an annotation, outside of models."""
    inner = annotation if isinstance(annotation, tuple) else getattr(annotation, "__args__", ())
    for item in inner:
        if get_origin(annotation) is Literal:
            yield str(item)
        else:
            yield from _literals(item)


def _inside(annotation: Any, token: str | int) -> Any:
    """Return the annotation of a child, by a token of pydantic's location of an error.

    A token is a field, an index, or the tag by which pydantic chose among several models (a backend's name).
    """
    models = _models(annotation)
    fields = [
        field.annotation
        for model in models
        for name, field in model.model_fields.items()
        if token in {name, field.alias}
    ]
    if fields:
        return tuple(fields)
    tagged = tuple(model for model in models if "name" in model.model_fields and token in _tags(model))
    return tagged or annotation


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return getattr(model.model_fields["name"].annotation, "__args__", ())


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return every model in an annotation, at any depth of unions and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, tuple):
        return [model for item in annotation for model in _models(item)]
    return [model for item in getattr(annotation, "__args__", ()) for model in _models(item)]
