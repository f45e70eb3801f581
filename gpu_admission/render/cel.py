"""The matchConditions: CEL that lets the API server keep to itself what has nothing to do with GPUs.

What brings an object to the webhook is read from the same tables that the rules read, so that a rule never
waits for an object that a condition holds back. The expressions guard every optional field: one that fails
under ``failurePolicy: Fail`` refuses the object without asking us.
"""

from __future__ import annotations

import re

from gpu_admission.core import resources
from gpu_admission.rules import BY_ID, markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.core.policy import Policy

# Domains whose resources are accelerators and nothing else; of the others single names count.
_MIXED_DOMAINS = frozenset({
    "google.com", "aws.amazon.com", "tencent.com", "huawei.com", "aliyun.com", "alibabacloud.com",
    "k8s.amazonaws.com", "volcano.sh", "koordinator.sh", "qualcomm.com",
})  # fmt: skip
_ORDINARY = ("cpu", "memory", "ephemeral-storage")
_SLASHES = r"/+(\./+)*"  # how many ways there are to write one


def text(value: str) -> str:
    """Return a CEL string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
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
    whole = sorted(resources.known_domains() - _MIXED_DOMAINS)
    single = sorted(
        name
        for name in resources.known_names()
        if name.partition("/")[0] in _MIXED_DOMAINS and "gpu" not in name.lower()
    )
    parts = ["gpu", f"^({'|'.join(map(re.escape, whole))})/"]
    parts += [f"^({'|'.join(map(re.escape, (*single, *policy.extra)))})", "^huawei\\.com/ascend"]
    return f"(?i){'|'.join(parts)}".replace("\\-", "-")


def _keys_match(holder: str, pattern: str) -> str:
    return f"{holder}.orValue({{}}).exists(k, !(k in {texts(_ORDINARY)}) && k.matches({text(pattern)}))"


def _path_pattern(prefixes: Iterable[str]) -> str:
    """Return a regular expression for paths that begin with one of these, however the slashes are written."""
    ways = [_SLASHES.join(map(re.escape, prefix.strip("/").split("/"))) for prefix in prefixes]
    return f"^{_SLASHES}({'|'.join(ways)})".replace("\\-", "-")


def _key_pattern(keys: Iterable[str], prefixes: Iterable[str], more: str = "") -> str:
    exact = "|".join(map(re.escape, keys))
    begins = "|".join(map(re.escape, prefixes))
    return "|".join(part for part in (f"^({exact})$", f"^({begins})", more) if part).replace("\\-", "-")


def _container(policy: Policy) -> str:
    """Return the condition on one container ``c``."""
    names = gpu_names(policy)
    env = f"^({'|'.join(map(re.escape, markers.ENV_PREFIXES))})"
    mounts = _path_pattern([markers.DEVICE_LIST_MOUNT, "/var" + markers.DEVICE_LIST_MOUNT])
    reaches = f"{texts(markers.ENV_PREFIXES)}.exists(p, p.startsWith(f.prefix) || f.prefix.startsWith(p))"
    return any_of([
        _keys_match("c.?resources.?limits", names),
        _keys_match("c.?resources.?requests", names),
        "c.?resources.?claims.orValue([]).size() > 0",
        f"c.?env.orValue([]).exists(e, e.?name.orValue('').matches({text(env)}))",
        f"c.?envFrom.orValue([]).exists(f, f.?prefix.orValue('') != '' && {reaches})",
        f"c.?volumeMounts.orValue([]).exists(m, m.?mountPath.orValue('').matches({text(mounts)}))",
    ])  # fmt: skip


def pod(policy: Policy, spec: str, metadata: str) -> str:
    """Return the condition under which a pod spec has to do with GPUs.

    ``spec`` and ``metadata`` are CEL expressions of optional values, such as ``object.?spec``.
    """
    annotations = _key_pattern(markers.ANNOTATION_KEYS, markers.ANNOTATION_PREFIXES, r"(^|\.)cdi\.k8s\.io/")
    labels = _key_pattern(markers.LABEL_KEYS, markers.LABEL_PREFIXES)
    paths = _path_pattern(markers.HOST_PATH_PREFIXES)
    classes = sorted({*markers.NVIDIA_RUNTIME_CLASSES, *([policy.runtime_class] if policy.runtime_class else [])})
    lists = ", ".join(
        f"{spec}.?{field}.orValue([])" for field in ("containers", "initContainers", "ephemeralContainers")
    )
    conditions = [
        f"[{lists}].exists(list, list.exists(c,\n{_indent(_container(policy))}))",
        f"{metadata}.?annotations.orValue({{}}).exists(k, k.matches({text(annotations)}))",
        f"{metadata}.?labels.orValue({{}}).exists(k, k.matches({text(labels)}))",
        f"{spec}.?volumes.orValue([]).exists(v, v.?hostPath.?path.orValue('').matches({text(paths)}))",
        f"{spec}.?runtimeClassName.orValue('') in {texts(classes)}",
        f"{spec}.?resourceClaims.orValue([]).size() > 0",
        _keys_match(f"{spec}.?resources.?limits", gpu_names(policy)),
        _keys_match(f"{spec}.?resources.?requests", gpu_names(policy)),
    ]
    if policy.in_force(BY_ID["GPU206"]):
        keys = f"{gpu_names(policy)}|nvidia|amd\\.com"
        conditions.append(f"{spec}.?tolerations.orValue([]).exists(t, t.?key.orValue('').matches({text(keys)}))")
    return any_of(conditions)


def changed(spec: str, metadata: str) -> str:
    """Return the condition under which an update changed anything that the rules judge.

    Without it, an object that is being deleted could not lose its finalizers while the webhook is down.
    """
    fields = (spec, f"{metadata}.?annotations", f"{metadata}.?labels")
    differs = any_of(f"{field} != {field.replace('object', 'oldObject', 1)}" for field in fields)
    return f"request.operation != 'UPDATE' ||\n{differs}"


def quota(policy: Policy) -> str:
    """Return the condition under which a ResourceQuota or a LimitRange names a GPU."""
    names = gpu_names(policy).replace("^(", "^((requests|limits)\\.)?(")
    fields = ", ".join(f"l.?{field}.orValue({{}})" for field in ("default", "defaultRequest", "max", "min"))
    return any_of([
        _keys_match("object.?spec.?hard", names),
        f"object.?spec.?limits.orValue([]).exists(l, [{fields}].exists(m, {_keys_match('optional.of(m)', names)}))",
    ])  # fmt: skip


def _indent(expression: str) -> str:
    return "\n".join(f"  {line}" for line in expression.splitlines())
