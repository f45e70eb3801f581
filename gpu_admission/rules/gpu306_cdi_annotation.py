"""GPU306: an annotation that makes the container runtime inject CDI devices."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import mapping, shown, text

from . import occasions
from .common import all_metadata
from .markers import CDI_DOMAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU306"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find annotations in the domain cdi.k8s.io or below it."""
    for place, metadata in all_metadata(workload):
        for key, value in mapping(metadata.get("annotations")).items():
            if CDI_DOMAIN not in text(key):
                continue
            domain, slash, _ = key.partition("/")
            if slash and (domain == CDI_DOMAIN or domain.endswith(f".{CDI_DOMAIN}")):
                yield Problem(
                    (*place, "annotations", key),
                    f"the annotation {shown(key)}: {shown(value)} makes the container runtime "
                    "inject devices that were not requested",
                    "remove the annotation and request devices under resources.limits, or by a resource claim",
                )


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
{annotations}spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="cdi-annotation",
    severity="error",
    since="0.1.0",
    summary="CDI device annotations from a user",
    rationale="""\
Container runtimes inject the devices that annotations in the domain `cdi.k8s.io` name, and NVIDIA's toolkit reads
`nvidia.cdi.k8s.io` likewise. They are the channel between device plugin and runtime: the kubelet writes them, no
user needs to. On a pod they hand out any device that the node has a definition of, `nvidia.com/gpu=all` among
them.""",
    references=(
        "https://github.com/cncf-tags/container-device-interface#how-to-configure-cdi",
        "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
    ),
    bad=_POD.format(annotations="  annotations:\n    cdi.k8s.io/gpus: nvidia.com/gpu=all\n"),
    good=_POD.format(annotations=""),
    check=check,
    when=occasions.bears_marks,
)
