"""``rules/catalogue.py``: the facts of rules that are needed without loading them, generated from their modules."""

from __future__ import annotations

from gpu_admission import rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpu_admission.engine.rule import Rule, Trigger

_HEADER = '''\
"""The headers of the rules: facts that are needed without loading their modules, to save start-up time.

Written by ``make docs`` from the modules of the rules: do not edit.
"""

from __future__ import annotations

# Nothing is imported here, so that ``make docs`` also runs when other generated modules are stale.
BOTH, POD, TEMPLATE = frozenset({"pod", "template"}), frozenset({"pod"}), frozenset({"template"})

# ID, name, severity, default action, fix, kinds at admission, scope, name of the trigger, may_resolve
HEADERS: tuple[
    tuple[str, str, str, str | None, str | None, frozenset[str], str, str | None, frozenset[str] | None], ...
] = (
'''
_KINDS = {frozenset({"pod", "template"}): "BOTH", frozenset({"pod"}): "POD", frozenset({"template"}): "TEMPLATE"}


def page(modules: Mapping[str, Rule]) -> str:
    """Return the module's text, as the formatter would write it; ``modules`` are paths below ``rules`` -> the rule.

    Raises ValueError where two rules have one ID, a file is not named after its rule, or a trigger has no name.
    """
    rows: dict[str, str] = {}
    for path, rule in sorted(modules.items(), key=lambda each: each[1].id):
        expected = rules.module_of(rule.id, rule.name)
        if path != expected:
            found, wanted = (f"rules/{each.replace('.', '/')}.py" for each in (path, expected))
            raise ValueError(f"{found} holds the rule {rule!r}: call it {wanted}")
        if rule.id in rows:
            raise ValueError(f"two rules have the ID {rule.id}")
        rows[rule.id] = _row(rule)
    return f"{_HEADER}{''.join(rows.values())})\n"


def _row(rule: Rule) -> str:
    values = (
        *(_text(each) for each in (rule.id, rule.name, rule.severity, rule.default, rule.fix)),
        _KINDS[rule.admission_kinds],
        _text(rule.scope),
        _text(_name(rule.when)),
        _set(rule.may_resolve),
    )
    line = f"    ({', '.join(values)}),\n"
    if len(line) <= 121:
        return line
    return "".join(["    (\n", *(f"        {value},\n" for value in values), "    ),\n"])


def _name(trigger: Trigger | None) -> str | None:
    if trigger is None:
        return None
    found = next((name for name, each in rules.TRIGGERS.items() if each is trigger), None)
    if found is None:
        raise ValueError("a trigger of a rule is not a name of rules/triggers.py")
    return found


def _text(value: str | None) -> str:
    return "None" if value is None else f'"{value}"'


def _set(values: Iterable[str] | None) -> str:
    if values is None:
        return "None"
    inside = ", ".join(f'"{value}"' for value in sorted(values))
    return f"frozenset({{{inside}}})" if inside else "frozenset()"
