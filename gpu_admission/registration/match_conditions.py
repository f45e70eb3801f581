"""The matchConditions: CEL that lets the API server keep to itself what has nothing to do with GPUs.

What brings an object to the webhook is read from the same tables that the rules read, so that a rule never
waits for an object that a condition holds back. The expressions guard every optional field: one that fails
under ``failurePolicy: Fail`` refuses the object without asking us.
"""

from __future__ import annotations

from gpu_admission.backends import kai_annotations, registry
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import POD
from gpu_admission.rules import ALL, gpu_markers
from gpu_admission.workloads import resources
from gpu_admission.workloads.workload import MIRROR_ANNOTATION

from . import globs, gpu_names, patterns, scans, touches_gpu
from .cel_literals import any_of, group, indent, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gpu_admission.policy.model import Policy

# What rules read of a pod's metadata beside what markers.py names;
_JUDGED_ANNOTATIONS = (
    *(*kai_annotations.POD_WIDE, kai_annotations.QUEUE),
    *(gpu_markers.KAI_CONFIG_MAP, MIRROR_ANNOTATION),
    f"{resources.PORTION_PREFIX}*",
    *(key for backend in registry.ALL for key in sorted(backend.judged_annotations)),
)
_JUDGED_LABELS = (kai_annotations.QUEUE, kai_annotations.OLD_QUEUE, kai_annotations.PROJECT)
# and what no rule reads of its spec, although others change it on pods that exist (queues take gates away).
UNJUDGED = ("schedulingGates", "activeDeadlineSeconds", "terminationGracePeriodSeconds")
# Characters of the condition on who asks. It stands in every webhook of an object that etcd stores up to 1.5 MiB of,
# and what it costs to match grows with it: a user's name of 100 characters spends a fifth of the budget at this size.
MOST_EXEMPT = 1 << 16
_USER, _NAMESPACE = "request.?userInfo.?username", "request.?namespace"


def not_exempt(policies: Sequence[Policy], left_out: Collection[str]) -> str:
    """Return the condition that the policy which judges here exempts nobody; empty for always.

    The first policy that is for the namespace judges. It means what the engine's own tests mean; namespaces that the
    namespaceSelector leaves out (``left_out``) need no mention. Raises ValueError where there are more entries than
    the API server could compare.
    """
    # One that is for every namespace judges wherever none before it does: the rest never do.
    last = next((number for number, policy in enumerate(policies) if not policy.match), len(policies) - 1)
    choices = [judging(policies, number, left_out) for number in range(last + 1)]
    expression = choices[0] if len(choices) == 1 else any_of(f"({each})" for each in choices)
    _require_few_of(policies, expression)
    return expression


def judging(policies: Sequence[Policy], number: int, left_out: Collection[str]) -> str:
    """Return the condition that one of the policies judges here and exempts nobody; empty for always.

    Those before it must be for some namespaces only. Raises ValueError as ``not_exempt`` does.
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


def touches(policy: Policy, spec: str, metadata: str, sight: str = POD) -> str:
    """Return the condition under which a pod spec has to do with GPUs, as ``touching`` makes it.

    An update that takes away what a rule reads in the metadata counts too.
    """
    now = touches_gpu.pod(policy, spec, metadata, sight)
    if sight != POD:
        return now
    before = any_of(touches_gpu.marks(policy, metadata.replace("object", "oldObject", 1)))
    return f"{now} ||\nrequest.operation == 'UPDATE' && (\n{indent(before)})"


def mirror(spec: str, metadata: str) -> str:
    """Return the condition that a Pod is the image of a static one (``Workload.is_mirror``)."""
    return f"{text(MIRROR_ANNOTATION)} in {metadata}.?annotations.orValue({{}}) && {spec}.?nodeName.orValue('') != ''"


def touches_at_mutation(policy: Policy, spec: str, metadata: str) -> str:
    """Return the condition under which a new Pod is to be seen before it is validated."""
    return touches_gpu.at_mutation(policy, spec, metadata)


def changed(spec: str, metadata: str) -> str:
    """Return the condition under which an update changed anything that the rules judge.

    Without it, an object that is being deleted could not lose its finalizers while the webhook is down, nor a
    network plugin note the address of a pod.
    """
    return any_of([
        "request.operation != 'UPDATE'",
        _differs(spec, [f"!(k in {texts(UNJUDGED)})"]),
        *_marks_differ(metadata),
    ])  # fmt: skip


def _marks_differ(metadata: str) -> list[str]:
    """Return the conditions that the old and the new metadata differ in a key that rules read, which may be gone."""
    fields = ("annotations", "labels")
    return [_differs(f"{metadata}.?{field}", patterns.keys("k", judged(field))) for field in fields]


def marks_written() -> str:
    """Return the condition that a pod's status or binding brings, changes or removes marks of GPUs.

    Kubelets write the status of every pod all the time: what they write is compared before any pattern is tried.
    """
    brought = [
        f"object.?metadata.?{field}.orValue({{}}).exists(k, {group(patterns.keys('k', judged(field)))})"
        for field in ("annotations", "labels")
    ]
    updated = f"request.operation == 'UPDATE' && (\n{indent(any_of(_marks_differ('object.?metadata')))})"
    return f"{updated} ||\nrequest.operation == 'CREATE' && (\n{indent(any_of(brought))})"


def judged(field: str) -> set[str]:
    """Return the keys of annotations or labels that any rule reads, under any policy."""
    declared = [rule.reads for rule in ALL if isinstance(rule.reads, Reads)]
    read = {key for reads in declared for key in getattr(reads, field)}
    if field == "labels":
        return {*read, *(key for reads in declared for key in reads.label_values), *_JUDGED_LABELS}
    return {*read, *touches_gpu.REQUESTS, *_JUDGED_ANNOTATIONS}


def _differs(field: str, keys: list[str]) -> str:
    """Return the condition that the old and the new mapping differ in a key ``k`` of this sort.

    Patterns cost most by far: they are tried on what differs only.
    """
    old = field.replace("object", "oldObject", 1)
    many = f"m.orValue({{}}).size() > {scans.MOST}"
    return f"[{field}, {old}].exists(m, {many} || m.orValue({{}}).exists(k, {field}[?k] != {old}[?k] && {group(keys)}))"


def differing(spec: str, fields: Iterable[str]) -> list[str]:
    """Return the conditions that an update changed one of these fields of what a CEL expression names."""
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
