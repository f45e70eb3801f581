"""GPU412: a container requests a GPU by its limits, and by a claim as well."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, triggers

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU412"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find both in one container; an unknown claim is reported as info where its name suggests a GPU."""
    for pod in workload.pods:
        for container in pod.containers:
            gpu = next((each for each in container.gpus if each.wants_gpu and each.resource.unit == "device"), None)
            if gpu is None:
                continue
            for reference in pod.claims.of(container):
                claim = reference.claim
                if claim is None or reference.gpu is False or not subjects.is_likely_gpu(claim):
                    continue
                yield Problem(
                    reference.pointer,
                    (
                        f'{common.asking(gpu, gpu.value)} and uses the claim "{escape(claim.name[:63])}" as well',
                        ": two GPUs are reserved for it",
                    ),
                    ("remove one of the two", ": the limit, or the claim"),
                    severity=None if reference.gpu else "info",
                    evidence=(gpu.value, claim.raw),
                )


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  resourceClaims:
    - name: gpu
      resourceClaimTemplateName: one-gpu
  containers:
    - name: train
      image: example.com/train:1
      resources:
        claims:
          - name: gpu
"""

RULE = Rule(
    id=ID,
    name="claim-beside-gpu",
    severity="warning",
    since="0.2.0",
    summary="a container with a GPU among its limits and a claim for one: two are reserved",
    rationale="""\
`nvidia.com/gpu` among the limits and a claim are two separate requests, served by the device plugin and the DRA driver,
or both by the driver where its DeviceClass serves the name (`extendedResourceName`). The container is given two GPUs,
the pod waits where only one is free, and on a node whose device plugin and driver both allocate its cards, two pods may
get the same one.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
        "kubernetes/enhancements: keps/sig-scheduling/5004-dra-extended-resource",
    ),
    bad=f"{_POD}        limits:\n          nvidia.com/gpu: 1\n",
    good=_POD,
    scope="request",
    when=triggers.pod_claim,
    check=check,
)
