"""GPU416: a quota on a device class that counts nothing."""

from __future__ import annotations

from gpu_admission.core import patch, quantity
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape, format_value
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, quotas, triggers
from gpu_admission.workloads.device_classes import EXTENDED_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU416"
_MARK = "deviceclass.resource."  # in every key that is about a class
_DEVICES = ".deviceclass.resource.k8s.io/devices"  # kubernetes/kubernetes: pkg/quota/v1/evaluator/core
_REQUESTS = f"requests.{EXTENDED_PREFIX}"
_LONGEST = 512  # longest key that is judged: a class is an object's name


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find items that resemble one of the two forms of a quota on a class, or whose class resembles a known one."""
    for place, hard in quotas.listed(workload):
        for key in hard:
            if _MARK in key and len(key) <= _LONGEST:
                yield from _item(workload, key, hard[key], (*place, key), policy)


def _item(workload: Workload, key: str, raw: object, place: Pointer, policy: Policy) -> Iterator[Problem]:
    from . import class_typos  # noqa: PLC0415 - only where there are quotas on classes

    name, right = _read(key)
    near = None if class_typos.is_known(name, workload, policy) else class_typos.meant(name, policy)
    counted = right.replace(name, near) if near else right
    if counted != key:
        if near and right == key:
            why = f"the class {format_value(name)} is not known, and resembles {near}"
        else:
            why = "it is not a key by which Kubernetes counts"
        yield Problem(
            place,
            (f"the quota {escape(key[:90])}: {format_value(raw)} limits nothing", f": {why}"),
            f"write {escape(counted[:120])} instead",
            fix=(patch.remove(ID, place), patch.Operation(ID, "add", (*place[:-1], counted), raw)),
            safety="unsafe",
        )
    elif not common.unfilled(workload, raw) and not _is_whole(raw):
        what = f"the quota {escape(key[:90])}: {format_value(raw)} is not a whole number, and devices are counted whole"
        yield Problem(place, what, "write how many devices, say 4")


def _read(key: str) -> tuple[str, str]:
    """Return the class of a key, and the key by which Kubernetes counts it."""
    before, _, after = key.partition(_MARK)
    _, slash, rest = after.partition("/")
    if before.endswith(".") and before.removesuffix(".") not in {"requests", "limits", "request", "limit"}:
        for prefix in ("requests.", "limits.", "count/"):
            before = before.removeprefix(prefix)
        name = before.removesuffix(".")
        return name, f"{name}{_DEVICES}"
    return rest if slash else "", f"{_REQUESTS}{rest}"


def _is_whole(raw: object) -> bool:
    try:
        return quantity.parse(raw).is_integer
    except quantity.QuantityError:
        return True  # Kubernetes refuses it


_TEXT = """\
apiVersion: v1
kind: ResourceQuota
metadata:
  name: gpus
spec:
  hard:
    gpu.nvidia.com.deviceclass.resource.{domain}/devices: "4"
"""

RULE = Rule(
    id=ID,
    name="class-quota",
    severity="warning",
    since="0.2.0",
    summary="a quota on a device class that counts nothing",
    rationale="""\
Kubernetes counts the devices of claims by the key `<class>.deviceclass.resource.k8s.io/devices`, and those that are
requested by a class's resource name by `requests.deviceclass.resource.kubernetes.io/<class>`: one domain for each. Any
other key (`limits.` before it, the other domain, a misspelt class) is accepted and counts nothing.""",
    references=(
        "https://kubernetes.io/docs/concepts/policy/resource-quotas/",
        "kubernetes/kubernetes: pkg/quota/v1/evaluator/core/resource_claims.go",
    ),
    bad=_TEXT.format(domain="kubernetes.io"),
    good=_TEXT.format(domain="k8s.io"),
    scope="object",
    admission_kinds=frozenset({TEMPLATE}),
    when=triggers.no_workload,
    check=check,
    fix="unsafe",
)
