"""The matchConditions: CEL that lets the API server keep to itself what has nothing to do with GPUs.

What brings an object to the webhook is read from the same tables that the rules read, so that a rule never
waits for an object that a condition holds back. The expressions guard every optional field: one that fails
under ``failurePolicy: Fail`` refuses the object without asking us.
"""

from __future__ import annotations

import re

from gpu_admission.backends import kai_words
from gpu_admission.core import resources
from gpu_admission.rules import BY_ID, markers

from . import globs
from .alternatives import END, alternatives, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gpu_admission.core.policy import Policy

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'"})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # among them all that ends a line
# Domains that offer other things than accelerators too; there the first letter of the name decides.
_MIXED_DOMAINS = frozenset({"aliyun.com", "alibabacloud.com", "koordinator.sh", "volcano.sh"})
# What looks like an accelerator in any domain, misspelt or missing ones included, beside the words of known names
# (_WORD) that do not mean anything else.
_ANYWHERE = ("gpu", "nvidia", "cuda")
_WORD = re.compile(r"[a-z]{3,}|.*")
_COMMON_WORDS = frozenset({"memory", "millicores", "monitoring", "shared", "tiles", "vcore", "vmemory", "drs"})
_ORDINARY = ("cpu", "memory", "ephemeral-storage")
# What rules read of a pod's metadata beside what markers.py names;
_JUDGED_ANNOTATIONS = (
    *(*kai_words.POD_WIDE, kai_words.QUEUE),
    *(markers.KAI_CONFIG_MAP, "kubernetes.io/config.mirror"),
)
_JUDGED_PREFIXES = (*markers.ANNOTATION_PREFIXES, kai_words.PORTION_PREFIX)
_JUDGED_LABELS = (kai_words.QUEUE,)
# and what no rule reads of its spec, although others change it on pods that exist (queues take gates away).
UNJUDGED = ("schedulingGates", "activeDeadlineSeconds", "terminationGracePeriodSeconds")
_SLASHES = r"/+(\./+)*"  # how many ways there are to write one
# Characters of the condition on who asks. It stands in every webhook of an object that etcd stores up to 1.5 MiB of,
# and what it costs to match grows with it: a user's name of 100 characters spends a fifth of the budget at this size.
MOST_EXEMPT = 1 << 16
_USER, _NAMESPACE = "request.?userInfo.?username", "request.?namespace"
_LISTS = "_VISIBLE_DEVICES"  # how most names of variables end


def text(value: str) -> str:
    """Return a CEL string literal."""
    escaped = _UNPRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08X}", value.translate(_ESCAPES))
    return f"'{escaped}'"


def texts(values: Iterable[str]) -> str:
    """Return a CEL list of string literals."""
    return f"[{', '.join(text(value) for value in values)}]"


def any_of(expressions: Iterable[str]) -> str:
    """Return the disjunction, one line each."""
    return " ||\n".join(expressions)


def gpu_names(policy: Policy) -> str:
    """Return a regular expression (RE2) for the resource names that bring an object to the webhook.

    Besides the names that the policy knows it lets through what nearly is one (``nvidia.com/GPU``, ``gpu``),
    because only we can tell the author.
    """
    names = [name.lower() for name in resources.known_names()]
    parts = [name.partition("/") for name in names if not any(word in name for word in _ANYWHERE)]
    words = {_WORD.match(rest)[0] for _, _, rest in parts} - _COMMON_WORDS | {"mig"}  # type: ignore[index]
    begins = {name.partition("/")[0] + "/" for name in names} - {f"{domain}/" for domain in _MIXED_DOMAINS}
    begins |= {name[: len(domain) + 2] for domain in _MIXED_DOMAINS for name in names if name.startswith(f"{domain}/")}
    begins |= {name.lower() for name in policy.extra}
    begins = {each for each in begins if not any(word in each for word in _ANYWHERE)}
    anywhere = "|".join(_ANYWHERE)
    return f"(?i){anywhere}|(^|/){alternatives(map(quoted, words))}|^{alternatives(map(quoted, begins))}"


def _keys_match(holder: str, pattern: str) -> str:
    return f"{holder}.exists(k, !(k in {texts(_ORDINARY)}) && k.matches({text(pattern)}))"


def _path_pattern(prefixes: Iterable[str]) -> str:
    """Return a regular expression for paths that begin with one of these, however the slashes are written."""
    ways = ((_SLASHES, *_parts(prefix)) for prefix in prefixes)
    return f"^{alternatives(ways)}"


def _parts(path: str) -> Iterable[str]:
    for number, name in enumerate(path.strip("/").split("/")):
        yield from [_SLASHES] * (number > 0)
        yield from quoted(name)


def _key_pattern(keys: Iterable[str], prefixes: Iterable[str]) -> str:
    return f"^{alternatives(map(quoted, [*(key + END for key in keys), *prefixes]))}"


def _variables(names: Iterable[str]) -> str:
    """Return a regular expression for variables that begin so; many end alike, which is written once."""
    lists = {name.removesuffix(_LISTS) for name in names if name.endswith(_LISTS)}
    words = [quoted(name) for name in names if not name.endswith(_LISTS)]
    return f"^{alternatives([*words, [*alternatives(map(quoted, lists)), *_LISTS]])}"


def _container(policy: Policy) -> str:
    """Return the condition on one container ``c``."""
    env = _variables(markers.ENV_PREFIXES)
    mounts = _path_pattern([markers.DEVICE_LIST_MOUNT, "/var" + markers.DEVICE_LIST_MOUNT])
    reaches = f"{texts(markers.ENV_PREFIXES)}.exists(p, p.startsWith(f.prefix) || f.prefix.startsWith(p))"
    return any_of([
        f"{_amounts('c', 'limits', 'requests')}.exists(m, {_keys_match('m', gpu_names(policy))})",
        "c.?resources.?claims.orValue([]).size() > 0",
        f"c.?env.orValue([]).exists(e, e.?name.orValue('').matches({text(env)}))",
        f"c.?envFrom.orValue([]).exists(f, f.?prefix.orValue('') != '' && {reaches})",
        f"c.?volumeMounts.orValue([]).exists(m, m.?mountPath.orValue('').matches({text(mounts)}))",
    ])  # fmt: skip


def pod(policy: Policy, spec: str, metadata: str) -> str:
    """Return the condition under which a pod spec has to do with GPUs.

    ``spec`` and ``metadata`` are CEL expressions of optional values, such as ``object.?spec``.
    """
    annotations = _key_pattern(markers.ANNOTATION_KEYS, markers.ANNOTATION_PREFIXES)
    labels = _key_pattern(markers.LABEL_KEYS, markers.LABEL_PREFIXES)
    paths = _path_pattern(markers.HOST_PATH_PREFIXES)
    classes = sorted({*markers.NVIDIA_RUNTIME_CLASSES, *([policy.runtime_class] if policy.runtime_class else [])})
    # The pod itself has resources and claims just as a container has.
    lists = [f"{spec}.?{field}.orValue([])" for field in ("containers", "initContainers", "ephemeralContainers")]
    holders = ", ".join([*lists, f"dyn([{spec}.orValue({{}})])"])
    conditions = [
        f"[{holders}].exists(list, list.exists(c,\n{_indent(_container(policy))}))",
        f"{metadata}.?annotations.orValue({{}}).exists(k, k.contains('cdi.k8s.io/') || k.matches({text(annotations)}))",
        f"{metadata}.?labels.orValue({{}}).exists(k, k.matches({text(labels)}))",
        f"{spec}.?volumes.orValue([]).exists(v, v.?hostPath.?path.orValue('').matches({text(paths)}))",
        f"{spec}.?runtimeClassName.orValue('') in {texts(classes)}",
        f"{spec}.?resourceClaims.orValue([]).size() > 0",
    ]
    if policy.in_force(BY_ID["GPU206"]):
        keys = f"{gpu_names(policy)}|nvidia|amd\\.com"
        conditions.append(f"{spec}.?tolerations.orValue([]).exists(t, t.?key.orValue('').matches({text(keys)}))")
    return any_of(conditions)


def judged(policies: Sequence[Policy], left_out: Collection[str]) -> str:
    """Return the condition that the policy which judges here exempts nobody; empty for always.

    The first policy that is for the namespace judges. It means what the engine's own tests mean; namespaces that the
    namespaceSelector leaves out (``left_out``) need no mention. Raises ValueError where there are more entries than
    the API server could compare.
    """
    choices: list[str] = []
    earlier: list[str] = []
    for policy in policies:
        here = [_is(_NAMESPACE, policy.match.patterns)] if policy.match else []
        choices.append(" &&\n".join([*earlier, *(f"({each})" for each in here), *_not_exempt(policy, left_out)]))
        if not here:
            break  # it judges wherever none before it does: the rest never do
        earlier += [f"!({each})" for each in here]
    expression = choices[0] if len(choices) == 1 else any_of(f"({each})" for each in choices)
    entries = [len(p.exempt.users.patterns + p.exempt.namespaces.patterns + p.match.patterns) for p in policies]
    require_few(sum(entries), len(expression))
    return expression


def _not_exempt(policy: Policy, left_out: Collection[str]) -> list[str]:
    users = policy.exempt.users.patterns
    namespaces = [name for name in policy.exempt.namespaces.patterns if name not in left_out]
    named = [f"!({_is(_USER, users)})"] * bool(users)
    return named + [f"!({_is(_NAMESPACE, namespaces)})"] * bool(namespaces)


def require_few(entries: int, size: int) -> None:
    """Raise ValueError where so many exemptions, written for the API server in so many characters, are too many."""
    if size > MOST_EXEMPT:
        raise ValueError(
            f"spec.exempt has {entries} entries, which the API server would be told in {size} characters (at most "
            f"{MOST_EXEMPT}); write patterns that match several names, such as system:serviceaccount:NAMESPACE:*"
        )


def _is(field: str, patterns: Iterable[str]) -> str:
    """Return the condition that a field is not empty and one of these."""
    name = f"{field}.orValue('')"
    plain = sorted(patterns)
    tests = [f"{name} in {texts(plain)}"]  # a pattern also stands for itself
    wild = [pattern for pattern in plain if globs.is_pattern(pattern)]
    if wild:
        tests.append(f"({name} != '' && {name}.matches({text(globs.expression(wild))}))")
    return any_of(tests)


def changed(spec: str, metadata: str) -> str:
    """Return the condition under which an update changed anything that the rules judge.

    Without it, an object that is being deleted could not lose its finalizers while the webhook is down, nor a
    network plugin note the address of a pod.
    """
    annotations = _key_pattern((*markers.ANNOTATION_KEYS, *_JUDGED_ANNOTATIONS), _JUDGED_PREFIXES)
    labels = _key_pattern((*markers.LABEL_KEYS, *_JUDGED_LABELS), markers.LABEL_PREFIXES)
    return any_of([
        "request.operation != 'UPDATE'",
        _differs(spec, f"!(k in {texts(UNJUDGED)})"),
        _differs(f"{metadata}.?annotations", f"(k.contains('cdi.k8s.io/') || k.matches({text(annotations)}))"),
        _differs(f"{metadata}.?labels", f"k.matches({text(labels)})"),
    ])  # fmt: skip


def _differs(field: str, key: str) -> str:
    """Return the condition that the old and the new mapping differ in a key ``k`` of this sort.

    Patterns cost most by far: they are tried on what differs only.
    """
    old = field.replace("object", "oldObject", 1)
    return f"[{field}, {old}].exists(m, m.orValue({{}}).exists(k, {field}[?k] != {old}[?k] && {key}))"


def quota(policy: Policy) -> str:
    """Return the condition under which a ResourceQuota or a LimitRange names a GPU."""
    names = gpu_names(policy).replace("|^", "|^((requests|limits)\\.)?").replace("(^|", "(^|requests\\.|limits\\.|")
    fields = ", ".join(f"l.?{field}.orValue({{}})" for field in ("default", "defaultRequest", "max", "min"))
    return any_of([
        _keys_match("object.?spec.?hard.orValue({})", names),
        f"object.?spec.?limits.orValue([]).exists(l, [{fields}].exists(m, {_keys_match('m', names)}))",
    ])  # fmt: skip


def _amounts(holder: str, *kinds: str) -> str:
    return f"[{', '.join(f'{holder}.?resources.?{kind}.orValue({{}})' for kind in kinds)}]"


def _indent(expression: str) -> str:
    return "\n".join(f"  {line}" for line in expression.splitlines())
