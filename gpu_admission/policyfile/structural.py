"""Conversion of the JSON Schema of policy files to the structural schema that the API server requires.

A structural schema has no ``$ref``, one type for each value, and the same fields in every alternative
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/, "Specifying a
structural schema"). So references are resolved, ``X or null`` becomes X (the API server drops nulls before it
validates), strings or numbers become ``x-kubernetes-int-or-string``, and a choice between models becomes one model with
the fields of all of them. Defaults are documented, not set: an object stays as written.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Schema = dict[str, Any]

# Keys of a JSON Schema that need no conversion.
_KEPT = (
    "description", "enum", "format", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern",
    "required", "type",
)  # fmt: skip


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Return the structural form of a JSON Schema whose references are to ``definitions``, by name.

    Raises ValueError where there is no structural form.
    """
    found = {**_resolved(schema, definitions), **{key: schema[key] for key in ("description",) if key in schema}}
    alternatives = [_resolved(each, definitions) for each in _alternatives(found)]
    if alternatives:
        return _of_alternatives(found, alternatives, definitions)
    made = _kept(found, definitions)
    if "type" not in made and "enum" in made:
        return {**made, "x-kubernetes-preserve-unknown-fields": True}  # of several types, which cannot be expressed
    if "type" not in made:
        raise ValueError(f"a schema without a type has no structural form: {dict(schema)!r}")
    return made


def _kept(found: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Return a schema without alternatives in structural form, except for a missing type."""
    made: Schema = {key: found[key] for key in _KEPT if key in found}
    if "const" in found:
        made |= {"type": "string", "enum": [found["const"]]}
    if "default" in found and found["default"] not in (None, [], {}):
        made["description"] = _with_default(made.get("description", ""), found["default"])
    if "properties" in found:
        made["properties"] = {name: structural(each, definitions) for name, each in found["properties"].items()}
    elif isinstance(found.get("additionalProperties"), dict):
        made["additionalProperties"] = structural(found["additionalProperties"], definitions)
    if "items" in found:
        made["items"] = structural(found["items"], definitions)
    return made


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return dict(schema)
    return _resolved(definitions[reference.rpartition("/")[2]], definitions)


def _alternatives(schema: Mapping[str, Any]) -> list[Schema]:
    return schema.get("anyOf") or schema.get("oneOf") or []


def _of_alternatives(found: Schema, alternatives: list[Schema], definitions: Mapping[str, Any]) -> Schema:
    """Return the single schema of a choice."""
    others = [each for each in alternatives if each.get("type") != "null"]
    kinds = [each.get("type") for each in others]
    if len(others) == 1:
        made = structural(others[0], definitions)
    elif set(kinds) == {"string", "integer"}:
        made = {"x-kubernetes-int-or-string": True}
    elif set(kinds) == {"object"}:
        made = _union([structural(each, definitions) for each in others])
    elif len(others) == 2 and "object" in kinds and any("enum" in each for each in others):
        made = _word_or_object(others, definitions)
    else:
        raise ValueError(f"a choice between {kinds} has no structural form")
    made |= {"description": found["description"]} if "description" in found else {}
    if found.get("default") is not None:
        made["description"] = _with_default(made.get("description", ""), found["default"])
    return made


def _with_default(description: str, default: Any) -> str:
    written = str(default).lower() if isinstance(default, bool) else str(default)
    return f"{description}{'; ' if description else ''}default: {written}"


def _union(models: list[Schema]) -> Schema:
    """Return the schema of any of these objects: the fields of all, each as its widest; required if in all."""
    fields: dict[str, list[Schema]] = {}
    for model in models:
        for name, field in model.get("properties", {}).items():
            fields.setdefault(name, []).append(field)
    required = [name for name in models[0].get("required", ()) if all(name in m.get("required", ()) for m in models)]
    made: Schema = {"type": "object", "properties": {name: _widest(each) for name, each in fields.items()}}
    return {**made, "required": required} if required else made


def _widest(fields: list[Schema]) -> Schema:
    """Return the union of several schemas of a field. Raises ValueError where their types differ."""
    first = fields[0]
    if any(field.get("type") != first.get("type") for field in fields):
        raise ValueError(f"one field has several types: {fields!r}")
    made = {key: value for key, value in first.items() if all(field.get(key) == value for field in fields)}
    if all("enum" in field for field in fields):
        made["enum"] = list(dict.fromkeys(value for field in fields for value in field["enum"]))
    texts = list(dict.fromkeys(field["description"] for field in fields if field.get("description")))
    if texts:
        made["description"] = "; or ".join(texts)
    return made


def _word_or_object(others: Iterable[Schema], definitions: Mapping[str, Any]) -> Schema:
    """Return the schema of a word of an enumeration (or YAML's false) or an object.

    A structural schema has one type. A value without a type may be anything, so other values are excluded: a pattern
    only applies to strings, bounds only apply to numbers, and so on.
    """
    words = next(each["enum"] for each in others if "enum" in each)
    model = structural(next(each for each in others if each.get("type") == "object"), definitions)
    texts = [word for word in words if isinstance(word, str)]
    refused = [value for value in (True, False) if value not in [word for word in words if isinstance(word, bool)]]
    return {
        "x-kubernetes-preserve-unknown-fields": True,
        "pattern": f"^({'|'.join(texts)})$",
        "minimum": 1,
        "maximum": 0,
        "maxItems": 0,
        "not": {"enum": refused},
        "properties": model["properties"],
    }
