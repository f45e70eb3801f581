"""The kinds that an audit lists: those that can hold pods, as far as the cluster serves them.

They are those of the table (`workloads/kinds.py`) and of the policy, the quotas and claims that the webhook judges too,
and other custom kinds whose schema can hold a pod.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gpu_admission.cluster import lists
from gpu_admission.cluster.discovery import ServedKind
from gpu_admission.cluster.errors import ForbiddenError, NotServedError, ServerError
from gpu_admission.core.raw import as_dict, iter_dicts
from gpu_admission.workloads import kind_traits, kinds
from gpu_admission.workloads.claim_index import CLAIM, DEVICE_CLASS, GROUP, TEMPLATE
from gpu_admission.workloads.crd_shape import may_hold_pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.cluster.connection import Connection
    from gpu_admission.cluster.discovery import Discovery
    from gpu_admission.policy.model import Policy

_CRDS = ServedKind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
_CRDS_A_PAGE = 20  # a schema has up to a megabyte
_WITHOUT_PODS = (
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    (GROUP, CLAIM),
    (GROUP, TEMPLATE),
    (GROUP, DEVICE_CLASS),
)
_POD = ("", "Pod")


class _Names(msgspec.Struct):
    kind: str = ""


class _CrdSpec(msgspec.Struct):
    group: str = ""
    names: _Names = msgspec.field(default_factory=_Names)
    versions: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Crd(msgspec.Struct):
    spec: _CrdSpec


_decode_crd = msgspec.json.Decoder(_Crd).decode
_decode = msgspec.json.Decoder().decode


class AuditedKind(NamedTuple):
    """A kind to list; ``registered`` is whether the webhook reviews its objects too.

    ``by_shape`` means that it was found by its schema only.
    """

    served: ServedKind
    registered: bool
    by_shape: bool = False


def planned(discovery: Discovery, policy: Policy, by_shape: set[tuple[str, str]]) -> list[AuditedKind]:
    """Return the kinds to list, Pods last: their owners are known by then."""
    wanted: dict[tuple[str, str], AuditedKind] = {}
    for key in [*((group, kind) for group, kind, _ in kinds.known()), *_WITHOUT_PODS]:
        if key in discovery.kinds:
            wanted[key] = AuditedKind(discovery.kinds[key], registered=key != ("", "PodTemplate"))
    for key in sorted(by_shape - wanted.keys()):
        wanted[key] = AuditedKind(discovery.kinds[key], registered=False, by_shape=True)
    for entry in policy.workloads:
        group, _, version = entry["apiVersion"].rpartition("/")
        served = discovery.kinds.get((group, entry["kind"]))
        if served is not None:
            wanted[group, entry["kind"]] = AuditedKind(served._replace(version=version), registered=True)
    return [*(each for key, each in wanted.items() if key != _POD), wanted[_POD]]


def found_by_shape(connection: Connection, discovery: Discovery, problems: list[str]) -> set[tuple[str, str]]:
    """Return the custom kinds that can hold pods and are in neither table nor policy, by group and kind.

    Where CRDs cannot be read, there are none, and ``problems`` gets a line about it.
    """
    found: set[tuple[str, str]] = set()
    try:
        for page in lists.pages(connection, _CRDS.path(), limit=_CRDS_A_PAGE):
            found |= {key for item in page.items for key in _kind_with_pods(item) if key in discovery.kinds}
    except (ForbiddenError, NotServedError, ServerError) as error:
        problems.append(f"{error}; custom kinds that are not in the table of known kinds are left out")
    return found


def _kind_with_pods(item: bytes) -> Iterator[tuple[str, str]]:
    try:
        spec = _decode_crd(item).spec
        key = (spec.group, spec.names.kind)
        if kinds.places_in(*key) is not None or kind_traits.never(f"{spec.group}/v1", spec.names.kind):
            return
        versions: Any = _decode(spec.versions)
    except (ValueError, RecursionError):
        return
    schemas = [
        as_dict(each.get("schema")).get("openAPIV3Schema") for _, each in iter_dicts(versions) if each.get("served")
    ]
    if any(may_hold_pods(schema) for schema in schemas):
        yield key
