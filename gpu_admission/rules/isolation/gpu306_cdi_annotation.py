"""GPU306: an annotation that makes the container runtime inject devices."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import gpu_markers, triggers

from . import nri_devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU306"

_NRI = (*gpu_markers.NRI_CDI_DOMAINS, *gpu_markers.NRI_DEVICE_DOMAINS, *gpu_markers.CRIO_DEVICES)


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find annotations in the domain cdi.k8s.io or below it, and those by which an NRI plugin injects cards."""
    pods = {pod.metadata_pointer: pod for pod in workload.pods}
    for place, pod in pods.items():
        for key, value in as_dict(pod.metadata.get("annotations")).items():
            name = as_str(key)
            if gpu_markers.CDI_DOMAIN not in name and not name.startswith(_NRI):
                continue
            if nri_devices.brings_cdi(name):
                yield _problem(place, key, value, "devices that were not requested")
            else:
                shown_cards = nri_devices.cards(name, value)
                if shown_cards and not nri_devices.takes_all(pod, shown_cards, policy):
                    few = ", ".join(shown_cards[:3]) + (" and more" if len(shown_cards) > 3 else "")
                    yield _problem(place, key, value, f"cards that were not requested ({few})")


def _problem(place: Pointer, key: str, value: object, what: str) -> Problem:
    return Problem(
        (*place, "annotations", key),
        (f"the annotation {format_value(key)}: {format_value(value)}", f" makes the container runtime inject {what}"),
        ("remove the annotation", " and request devices under resources.limits, or by a resource claim"),
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
    summary="annotations of a user that make the container runtime inject devices",
    rationale="""\
Container runtimes inject the devices that annotations in the domain `cdi.k8s.io` name, and NVIDIA's toolkit reads
`nvidia.cdi.k8s.io` likewise. They are the channel between device plugin and runtime: the kubelet writes them, users
never need to. On a pod they inject any device that is defined on the node, even `nvidia.com/gpu=all`. Where the device
injector of the Node Resource Interface runs (GKE has one), the annotations `cdi-devices.noderesource.dev`,
`devices.noderesource.dev`, `devices.nri.io` and `devices.gke.io` do the same, and so do CRI-O's
`io.kubernetes.cri-o.Devices` and `devices.crio.io`: device nodes of cards are found in them, unless the pod requests
all cards of a node anyway. An entry that is not written plainly (escapes, tags, anchors, numbers in other bases) counts
as a card.""",
    references=(
        "https://github.com/cncf-tags/container-device-interface#how-to-configure-cdi",
        "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
        "containerd/nri: plugins/device-injector/README.md",
    ),
    bad=_POD.format(annotations="  annotations:\n    cdi.k8s.io/gpus: nvidia.com/gpu=all\n"),
    good=_POD.format(annotations=""),
    check=check,
    when=triggers.scheduler_mark,
    reads=Reads(
        annotations=[
            *_NRI,
            *(f"{domain}/*" for domain in (gpu_markers.CDI_DOMAIN, f"*.{gpu_markers.CDI_DOMAIN}", *_NRI)),
        ]
    ),
)
