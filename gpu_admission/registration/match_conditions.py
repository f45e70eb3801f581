"""The matchConditions: CEL by which the API server sends only objects that have to do with GPUs.

They are generated from the same tables that the rules read, so that no condition excludes an object that a rule judges.
The expressions guard every optional field: an evaluation error under ``failurePolicy: Fail`` rejects the object.
"""

from __future__ import annotations

from gpu_admission.backends import kai_annotations, registry
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import POD
from gpu_admission.rules import ALL, gpu_markers
from gpu_admission.workloads import share_annotations
from gpu_admission.workloads.workload import MIRROR_ANNOTATION

from . import globs, gpu_names, patterns, scans, touches_gpu
from .cel_literals import any_of, group, indent, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gpu_admission.policy.model import Policy

# What rules read of a pod's metadata besides the markers of gpu_markers.py,
_JUDGED_ANNOTATIONS = (
    *(*kai_annotations.POD_WIDE, kai_annotations.QUEUE),
    *(gpu_markers.KAI_CONFIG_MAP, MIRROR_ANNOTATION),
    f"{share_annotations.PORTION_PREFIX}*",
    *(key for backend in registry.ALL for key in sorted(backend.judged_annotations)),
)
_JUDGED_LABELS = (kai_annotations.QUEUE, kai_annotations.OLD_QUEUE, kai_annotations.PROJECT)
# and fields of its spec that no rule reads but others update (queues remove scheduling gates).
UNJUDGED = ("schedulingGates", "activeDeadlineSeconds", "terminationGracePeriodSeconds")
# Characters of the condition on exempt users. It is in every webhook of an object that etcd limits to 1.5 MiB, and
# its cost grows with it: a user's name of 100 characters takes a fifth of the budget at this size.
MOST_EXEMPT = 1 << 16
_USER, _NAMESPACE = "request.?userInfo.?username", "request.?namespace"


def not_exempt(policies: Sequence[Policy], left_out: Collection[str]) -> str:
    """Return the condition that the request is not exempt from the policy that applies; empty for always.

    The first policy that is for the namespace applies, as in the webhook; namespaces that the namespaceSelector
    excludes (``left_out``) are omitted. Raises ValueError where there are more entries than the API server could
    compare.
    """
    # One that is for every namespace is the last that can apply.
    last = next((number for number, policy in enumerate(policies) if not policy.match), len(policies) - 1)
    choices = [judging(policies, number, left_out) for number in range(last + 1)]
    expression = choices[0] if len(choices) == 1 else any_of(f"({each})" for each in choices)
    _require_few_of(policies, expression)
    return expression


def judging(policies: Sequence[Policy], number: int, left_out: Collection[str]) -> str:
    """Return the condition that one of the policies applies, and does not exempt the request; empty for always.

    All but the last must be for some namespaces only. Raises ValueError as ``not_exempt`` does.
    """
    earlier = [f"!({_is(_NAMESPACE, policy.match.patterns)})" for policy in policies[:number]]
    policy = policies[number]
    here = [f"({_is(_NAMESPACE, policy.match.patterns)})"] * bool(policy.match)
    expression = " &&\n".join([*earlier, *here, *_not_exempt(policy, left_out)])
    _require_few_of(policies, expression)
    return expression


def _require_few_of(policies: Sequence[Policy], expression: str) -> None:
    entries = [len(p.exempt.users.patterns + p.exempt.namespaces.patterns + p.match.patterns) for p in policies]
    require_few(sum(entries), len(expression))


def _not_exempt(policy: Policy, left_out: Collection[str]) -> list[str]:
    users = policy.exempt.users.patterns
    namespaces = [name for name in policy.exempt.namespaces.patterns if name not in left_out]
    named = [f"!({_is(_USER, users)})"] * bool(users)
    return named + [f"!({_is(_NAMESPACE, namespaces)})"] * bool(namespaces)


def require_few(entries: int, size: int) -> None:
    """Raise ValueError where so many exemptions, of so many characters in a condition, are too many."""
    if size > MOST_EXEMPT:
        raise ValueError(
            f"spec.exempt has {entries} entries, which take {size} characters in a matchCondition (at most "
            f"{MOST_EXEMPT}); write patterns that match several names, such as system:serviceaccount:NAMESPACE:*"
        )


def _is(field: str, patterns: Iterable[str]) -> str:
    """Return the condition that a field is one of these, and not empty."""
    name = f"{field}.orValue('')"
    plain = sorted(patterns)
    tests = [f"{name} in {texts(plain)}"]  # a pattern also matches itself
    wild = [pattern for pattern in plain if globs.is_pattern(pattern)]
    if wild:
        tests.append(f"({name} != '' && {name}.matches({text(globs.expression(wild))}))")
    return any_of(tests)


def touches(policy: Policy, spec: str, metadata: str, sight: str = POD) -> str:
    """Return the condition under which a pod spec has to do with GPUs, by ``touching``.

    An update that removes metadata that a rule reads counts too.
    """
    now = touches_gpu.pod(policy, spec, metadata, sight)
    if sight != POD:
        return now
    before = any_of(touches_gpu.marks(policy, metadata.replace("object", "oldObject", 1)))
    return f"{now} ||\nrequest.operation == 'UPDATE' && (\n{indent(before)})"


def mirror(spec: str, metadata: str) -> str:
    """Return the condition that a Pod is the mirror of a static one (``Workload.is_mirror``)."""
    return f"{text(MIRROR_ANNOTATION)} in {metadata}.?annotations.orValue({{}}) && {spec}.?nodeName.orValue('') != ''"


def touches_at_mutation(policy: Policy, spec: str, metadata: str) -> str:
    """Return the condition under which a new Pod is sent to mutation."""
    return touches_gpu.at_mutation(policy, spec, metadata)


def changed(spec: str, metadata: str) -> str:
    """Return the condition under which an update changed anything that the rules judge.

    Without it, while the webhook is down, finalizers of an object that is being deleted could not be removed, nor could
    a network plugin record the address of a pod.
    """
    return any_of([
        "request.operation != 'UPDATE'",
        _differs(spec, [f"!(k in {texts(UNJUDGED)})"]),
        *_marks_differ(metadata),
    ])  # fmt: skip


def _marks_differ(metadata: str) -> list[str]:
    """Return the conditions that the old and the new metadata differ in a key that rules read, removed or not."""
    fields = ("annotations", "labels")
    return [_differs(f"{metadata}.?{field}", patterns.keys("k", judged(field))) for field in fields]


def marks_written() -> str:
    """Return the condition that a pod's status or binding adds, changes or removes markers of GPUs.

    Kubelets update the status of every pod all the time: values are compared before patterns.
    """
    brought = [
        f"object.?metadata.?{field}.orValue({{}}).exists(k, {group(patterns.keys('k', judged(field)))})"
        for field in ("annotations", "labels")
    ]
    updated = f"request.operation == 'UPDATE' && (\n{indent(any_of(_marks_differ('object.?metadata')))})"
    return f"{updated} ||\nrequest.operation == 'CREATE' && (\n{indent(any_of(brought))})"


def judged(field: str) -> set[str]:
    """Return the keys of annotations or labels that rules read, under any policy."""
    declared = [rule.reads for rule in ALL if isinstance(rule.reads, Reads)]
    read = {key for reads in declared for key in getattr(reads, field)}
    if field == "labels":
        return {*read, *(key for reads in declared for key in reads.label_values), *_JUDGED_LABELS}
    return {*read, *touches_gpu.REQUESTS, *_JUDGED_ANNOTATIONS}


def _differs(field: str, keys: list[str]) -> str:
    """Return the condition that the old and the new mapping differ in a key ``k`` of this sort.

    Patterns are by far the most expensive: they are only evaluated for values that differ.
    """
    old = field.replace("object", "oldObject", 1)
    many = f"m.orValue({{}}).size() > {scans.MOST}"
    return f"[{field}, {old}].exists(m, {many} || m.orValue({{}}).exists(k, {field}[?k] != {old}[?k] && {group(keys)}))"


def differing(spec: str, fields: Iterable[str]) -> list[str]:
    """Return the conditions that an update changed one of these fields of a CEL expression."""
    old = spec.replace("object", "oldObject", 1)
    return [f"{spec}.?{field} != {old}.?{field}" for field in fields]


def quota(policy: Policy) -> str:
    """Return the condition under which a ResourceQuota or a LimitRange names a GPU."""
    fields = ", ".join(f"l.?{field}.orValue({{}})" for field in ("default", "defaultRequest", "max", "min"))
    named = f"{gpu_names.without_quota_prefix('q')}.exists(k, !(k in {texts(gpu_names.ORDINARY)}) && {{}})"
    near = named.replace("{}", f"(\n{indent(gpu_names.known_or_near(policy, 'k'))})")
    return any_of([
        "object.?spec.?hard.orValue({}).exists(q, q.contains('deviceclass.resource.'))",
        f"object.?spec.?hard.orValue({{}}).exists(q, {near})",
        f"object.?spec.?limits.orValue([]).exists(l, [{fields}].exists(m, m.exists(q, {near})))",
    ])  # fmt: skip
