"""Environment variables in CEL: ``c`` is a container, ``n`` are its variables that a check reads, ``e`` is one of them.

The last entry of a name counts. References (``$(NAME)``) are not expanded: such a value may be any.
"""

from __future__ import annotations

from gpu_admission.registration import container_conditions, patterns
from gpu_admission.registration.cel_literals import any_of, group, pattern, text, texts
from gpu_admission.rules.runtime_variables import DEVICE_LISTS, FEATURES, SPACES, SWITCHES

from .check import pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gpu_admission.rules.runtime_variables import DeviceList

LONGEST_VALUE = 4096  # characters; of a longer one only the size is read, as in ``rules.env_vars``
FEW = 8  # variables in ``n`` up to which the last of each name is determined
_VALUE = "e.?value.orValue('')"
_SPACE = (
    "[" + "".join({"\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}.get(s, s) for s in SPACES) + "]"
)
_ALL_NONE = f"^(({_SPACE}*(none)?{_SPACE}*),)*{_SPACE}*(none)?{_SPACE}*$"
_SOME_VOID = f"(^|,){_SPACE}*void{_SPACE}*(,|$)"
# True values of Go's strconv.ParseBool (``rules.visible_devices``).
_TRUE = ("1", "t", "T", "TRUE", "true", "True")


def that(condition: str, wanted: Collection[str]) -> str:
    """Return a CEL string: the names, comma-separated, of the variables of ``c`` for which a condition holds.

    ``wanted`` are the names in ``n``, with ``*`` for families; the condition is on ``e``. Where a container has more
    than ``FEW`` of them, every entry counts.
    """
    named = container_conditions.names_one_of(dict.fromkeys(wanted))
    same = "n.filter(x, x.name == e.name)"
    last = f"(n.size() == 1 || n.size() > {FEW} || {same}[{same}.size() - 1] == e)"
    names = f"n.filter(e, ({condition}) && {last}).map(e, e.name).join(', ')"
    return f"(has(c.env) ? [c.env.filter(e, {named})].map(n, {names})[0] : '')"


def findings(texts_of_containers: str, containers: str = "variables.judged") -> str:
    """Return findings: the containers ``c`` for which a CEL string is not empty, with that string."""
    return f"{containers}.map(c, {pair('c.name', texts_of_containers)}).filter(p, p[1] != '')"


def shows(lists: Iterable[DeviceList]) -> str:
    """Return the condition that ``e`` is one of these lists with a value that may show cards."""
    by_reading: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for each in lists:
        names = [each.name, f"{each.name}*"] if each.family else [each.name]
        by_reading.setdefault((each.void_wins, each.no_device), []).extend(names)
    return any_of(
        f"({group(patterns.keys('e.name', names))} && (has(e.valueFrom) || !({_hides(void_wins, none)})))"
        for (void_wins, none), names in by_reading.items()
    )


def _hides(void_wins: bool, none: Collection[str]) -> str:
    """Return the condition that the value of ``e`` certainly shows no card (``DeviceList.shows_none``)."""
    plain = f"{_VALUE} in {texts(none)}"
    if not void_wins:
        return plain
    read = f"{_VALUE}.matches({pattern(_SOME_VOID)}) || {_VALUE}.matches({pattern(_ALL_NONE)})"
    return f"{plain} || {_VALUE}.size() <= {LONGEST_VALUE} && !{_VALUE}.contains('$') && ({read})"


def hides(name: str) -> str:
    """Return the condition that ``e``, which is this list, certainly shows no card."""
    known = DEVICE_LISTS[name]
    return f"!has(e.valueFrom) && ({_hides(known.void_wins, known.no_device)})"


def is_on(names: Iterable[str]) -> str:
    """Return the condition that ``e`` is one of these switches, and on (``rules.visible_devices.is_on``)."""
    return any_of(f"(e.name == {text(name)} && ({_is_on(name)}))" for name in names)


def _is_on(name: str) -> str:
    unknown = f"has(e.valueFrom) || {_VALUE}.contains('$') || {_VALUE}.size() > {LONGEST_VALUE}"
    if name in FEATURES:
        return f"{unknown} || {_VALUE} == 'enabled'"
    if name == "NVIDIA_IMEX_CHANNELS":
        blank = pattern(f"^({_SPACE}|,)*$")
        return f"{unknown} || !({_VALUE}.matches({blank}) || {_VALUE}.matches({pattern(_SOME_VOID)}))"
    if name == "NVIDIA_DISABLE_REQUIRE":
        return f"{unknown} || {_VALUE} in {texts(_TRUE)}"
    return f"{unknown} || !{_VALUE}.matches({pattern(f'^{_SPACE}*$')})"


def completing(names: Iterable[str], families: Iterable[str] = ()) -> str:
    """Return a CEL string: the prefixes of an ``envFrom`` that could complete to one of these variables of ``c``.

    A name that ``env`` sets cannot be overridden; a family can (``rules.env_vars.open_sources``).
    """
    exact = texts(sorted(names))
    of_names = (
        f"{exact}.exists(x, x.startsWith(f.prefix) && x != f.prefix && !c.?env.orValue([]).exists(e, e.name == x))"
    )
    tests = [f"(f.prefix in {texts(patterns.prefixes(names))} && {of_names})"]
    tests += [f"f.prefix.startsWith({text(each)}) || {text(each)}.startsWith(f.prefix)" for each in families]
    has_prefix = "f.?prefix.orValue('') != ''"
    return f"(has(c.envFrom) ? c.envFrom.filter(f, {has_prefix} && ({any_of(tests)})).map(f, f.prefix).join(', ') : '')"


def sets(name: str) -> str:
    """Return the condition that ``env`` of ``c`` names a variable."""
    return f"c.?env.orValue([]).exists(e, e.name == {text(name)})"


def switches(severity: str) -> list[str]:
    """Return the switches of NVIDIA's toolkit of a severity."""
    return [name for name, each in SWITCHES.items() if each.severity == severity]


def harmless_values(values: Mapping[str, Collection[str]]) -> str:
    """Return the condition that ``e`` has a value that is harmless for its name, in any case."""
    tests = [
        f"(e.name == {text(name)} && {_VALUE}.lowerAscii() in {texts(sorted(its))})" for name, its in values.items()
    ]
    return f"!has(e.valueFrom) && ({any_of(tests)})" if tests else "false"
