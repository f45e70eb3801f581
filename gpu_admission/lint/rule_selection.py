"""Rules by ID, name or prefix, and the policy narrowed to them."""

from __future__ import annotations

from gpu_admission.core.typos import did_you_mean

from .paths import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy


def meant(word: str, rules: Sequence[Rule]) -> frozenset[str]:
    """Return the IDs of the rules with an ID, a name or a prefix of an ID (``GPU1``); none if unknown."""
    named = frozenset(rule.id for rule in rules if rule.name == word.lower())
    folded = word.upper()
    if named or not folded.startswith("GPU"):
        return named
    return frozenset(rule.id for rule in rules if rule.id.startswith(folded))


def near(word: str, rules: Sequence[Rule]) -> str:
    """Return a clause that suggests the rule that was probably meant."""
    return did_you_mean(word, [value for rule in rules for value in (rule.id, rule.name)])


def ids(names: Iterable[str], rules: Sequence[Rule], option: str) -> frozenset[str]:
    """Return the IDs of all the rules that the words select.

    Raises UsageError, with the option, for a word that selects none.
    """
    found: frozenset[str] = frozenset()
    for word in names:
        some = meant(word, rules)
        if not some:
            raise UsageError(f"{option}: there is no rule {word!r}{near(word, rules)}")
        found |= some
    return found


def named(names: Iterable[str], rules: Sequence[Rule]) -> frozenset[str]:
    """Return the IDs of the rules that the words name by ID or name, not by a prefix."""
    value = {word.lower() for word in names}
    return frozenset(rule.id for rule in rules if rule.id.lower() in value or rule.name in value)


def narrowed(policy: Policy, select: Sequence[str], ignore: Sequence[str], rules: Sequence[Rule]) -> Policy:
    """Return the policy with the selected rules enabled, without the ignored ones.

    Without a selection these are the rules that the policy enables; a selection enables those that are off.
    """
    if not select and not ignore:
        return policy
    chosen = ids(select, rules, "--select")
    if not select:
        chosen = frozenset(rule.id for rule in rules if policy.is_enabled(rule))
    return policy.selecting(chosen - ids(ignore, rules, "--ignore"))
