"""GPU417: two claims, templates or classes of one name in one input."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, escape
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU417"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find objects with the kind, namespace and name of an earlier one in the same input, and different content."""
    metadata = as_dict(workload.object.get("metadata"))
    name = as_str(metadata.get("name"))
    first = workload.claim_index.first_here(workload.kind, name, workload.namespace) if name else None
    if first is None or first.object is workload.object or first.object.get("spec") == workload.object.get("spec"):
        return
    if not workload.claim_index.holds_here(workload.object):
        return  # a repair has changed the object
    where = f' in the namespace "{escape(workload.namespace[:63])}"' if workload.namespace else ""
    yield Problem(
        (*workload.pointer, "metadata", "name"),
        (
            f'a second {workload.kind} "{escape(name[:63])}"{where} in this input, with different content',
            ": what claims request cannot be changed, so Kubernetes keeps the first and refuses this one",
        ),
        ("give it another name", ", or leave one of them out"),
    )


_HEAD = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata:
  name: {name}
spec:
  spec:
    devices:
      requests:
        - name: gpu
          exactly:
            deviceClassName: gpu.nvidia.com
            count: {count}
"""

RULE = Rule(
    id=ID,
    name="duplicate-claim",
    severity="warning",
    since="0.2.0",
    summary="two claims, templates or classes of one name in one input, with different contents",
    rationale="""\
The spec of a ResourceClaim and of a ResourceClaimTemplate cannot be changed after creation. Where a file has two of one
name, `kubectl apply` creates the first and fails for the second, and pods that need the second get the first.""",
    references=(
        "kubernetes/kubernetes: pkg/apis/resource/validation/validation.go, ValidateResourceClaimTemplateUpdate",
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
    ),
    bad=_HEAD.format(name="one", count=1) + "---\n" + _HEAD.format(name="one", count=2),
    good=_HEAD.format(name="one", count=1) + "---\n" + _HEAD.format(name="two", count=2),
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
)
