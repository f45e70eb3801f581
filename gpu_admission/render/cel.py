"""The matchConditions: CEL that lets the API server keep to itself what has nothing to do with GPUs.

What brings an object to the webhook is read from the same tables that the rules read, so that a rule never
waits for an object that a condition holds back. The expressions guard every optional field: one that fails
under ``failurePolicy: Fail`` refuses the object without asking us.
"""

from __future__ import annotations

from gpu_admission.backends import kai_words
from gpu_admission.core.reads import Reads
from gpu_admission.core.rule import POD
from gpu_admission.rules import ALL, markers

from . import globs, gpu_names, patterns, touching
from .literals import any_of, group, indent, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.core.policy import Policy

# What rules read of a pod's metadata beside what markers.py names;
_JUDGED_ANNOTATIONS = (
    *(*kai_words.POD_WIDE, kai_words.QUEUE),
    *(markers.KAI_CONFIG_MAP, "kubernetes.io/config.mirror"),
    f"{kai_words.PORTION_PREFIX}*",
)
_JUDGED_LABELS = (kai_words.QUEUE,)
# and what no rule reads of its spec, although others change it on pods that exist (queues take gates away).
UNJUDGED = ("schedulingGates", "activeDeadlineSeconds", "terminationGracePeriodSeconds")


def exempt(policy: Policy) -> str:
    """Return the condition that the policy exempts nobody here, neither the user nor the namespace; empty for always.

    It means what the engine's own test means. Namespaces without a pattern are left to the namespaceSelector.
    """
    users = policy.exempt.get("users") or ()
    namespaces = [name for name in policy.exempt.get("namespaces") or () if globs.is_pattern(name)]
    named = [_named("request.?userInfo.?username", users)] * bool(users)
    named += [_named("request.?namespace", namespaces)] * bool(namespaces)
    return " &&\n".join(named)


def _named(field: str, patterns: Iterable[str]) -> str:
    """Return the condition that a field is empty or none of these."""
    name = f"{field}.orValue('')"
    plain = sorted({pattern for pattern in patterns if pattern})
    tests = [f"{name} in {texts(plain)}"]  # a pattern also stands for itself
    wild = [pattern for pattern in plain if globs.is_pattern(pattern)]
    if wild:
        tests.append(f"({name} != '' && {name}.matches({text(globs.expression(wild))}))")
    return f"!({any_of(tests)})"


def touches(policy: Policy, spec: str, metadata: str, sight: str = POD) -> str:
    """Return the condition under which a pod spec has to do with GPUs, as ``touching`` makes it.

    An update that takes away what a rule reads in the metadata counts too.
    """
    now = touching.pod(policy, spec, metadata, sight)
    if sight != POD:
        return now
    before = any_of(touching.marks(policy, metadata.replace("object", "oldObject", 1)))
    return f"{now} ||\nrequest.operation == 'UPDATE' && (\n{indent(before)})"


def changed(spec: str, metadata: str) -> str:
    """Return the condition under which an update changed anything that the rules judge.

    Without it, an object that is being deleted could not lose its finalizers while the webhook is down, nor a
    network plugin note the address of a pod.
    """
    return any_of([
        "request.operation != 'UPDATE'",
        _differs(spec, [f"!(k in {texts(UNJUDGED)})"]),
        _differs(f"{metadata}.?annotations", patterns.keys("k", judged("annotations"))),
        _differs(f"{metadata}.?labels", patterns.keys("k", judged("labels"))),
    ])  # fmt: skip


def judged(field: str) -> set[str]:
    """Return the keys of ``annotations`` or ``labels`` that any rule reads, under any policy; ``*`` is any text."""
    declared = [rule.reads for rule in ALL if isinstance(rule.reads, Reads)]
    read = {key for reads in declared for key in getattr(reads, field)}
    if field == "labels":
        return {*read, *(key for reads in declared for key in reads.label_values), *_JUDGED_LABELS}
    return {*read, *touching.REQUESTS, *_JUDGED_ANNOTATIONS}


def _differs(field: str, keys: list[str]) -> str:
    """Return the condition that the old and the new mapping differ in a key ``k`` of this sort.

    Patterns cost most by far: they are tried on what differs only.
    """
    old = field.replace("object", "oldObject", 1)
    many = f"m.orValue({{}}).size() > {touching.MOST_KEYS}"
    return f"[{field}, {old}].exists(m, {many} || m.orValue({{}}).exists(k, {field}[?k] != {old}[?k] && {group(keys)}))"


def quota(policy: Policy) -> str:
    """Return the condition under which a ResourceQuota or a LimitRange names a GPU."""
    fields = ", ".join(f"l.?{field}.orValue({{}})" for field in ("default", "defaultRequest", "max", "min"))
    named = f"{gpu_names.without_quota_prefix('q')}.exists(k, !(k in {texts(gpu_names.ORDINARY)}) && {{}})"
    near = named.replace("{}", f"(\n{indent(gpu_names.known_or_near(policy, 'k'))})")
    return any_of([
        f"object.?spec.?hard.orValue({{}}).exists(q, {near})",
        f"object.?spec.?limits.orValue([]).exists(l, [{fields}].exists(m, m.exists(q, {near})))",
    ])  # fmt: skip
