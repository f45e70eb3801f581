"""GPU307: an annotation or label that only a scheduler may write, or that evades one."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import gpu_markers, triggers
from gpu_admission.rules.common import all_metadata, dumped

from . import trusted_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU307"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find keys that schedulers write and device plugins trust, and labels that opt out of a backend's webhook."""
    if dumped(workload):
        return
    for place, metadata in all_metadata(workload):
        for field, owners in trusted_keys.FIELDS:
            for key, value in as_dict(metadata.get(field)).items():
                system = owners.of(as_str(key))
                if system:
                    yield trusted_keys.written((*place, field, key), value, system)
        for field, ways in trusted_keys.OPT_OUT:
            given = as_dict(metadata.get(field))
            for key, value, system in ways:
                if given.get(key) == value:
                    yield trusted_keys.opted_out((*place, field, key), value, system)


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
          aliyun.com/gpu-mem: 4
"""

RULE = Rule(
    id=ID,
    name="spoofed-annotation",
    severity="error",
    since="0.1.0",
    summary="an annotation or label that a scheduler or device plugin trusts",
    rationale="""\
Sharing backends pass their decisions from scheduler to device plugin in annotations of the pod: which card, how much of
it, whether it is accounted for. They are not signed. A pod that is created with them gets the card that it names, even
if it is allocated to others, or is counted with less memory than it uses. Labels such as `hami.io/webhook: ignore` make
a backend ignore the pod, and so does the annotation `kai-resource-isolator.io/inject: "false"`. Until a pod has ended,
only the backend may change or remove them: otherwise the share would be allocated again while the pod still uses it.
Annotations by which users request something (a queue, a type of card, `gpu-memory` for KAI) are allowed; but once the
pod is bound to a node, its scheduler counts by the requested amounts, which must not change.""",
    references=(
        "AliyunContainerService/gpushare-scheduler-extender: pkg/utils/const.go",
        "volcano-sh/volcano: pkg/scheduler/api/devices/nvidia/vgpu/type.go",
        "Project-HAMi/HAMi: pkg/util/types.go",
        "NVIDIA/KAI-Scheduler: pkg/common/constants/constants.go",
        "kai-scheduler/KAI-Scheduler: docs/gpu-sharing/README.md",
    ),
    bad=_POD.format(annotations='  annotations:\n    ALIYUN_COM_GPU_MEM_IDX: "0"\n'),
    good=_POD.format(annotations=""),
    check=check,
    compare=trusted_keys.compare,
    when=triggers.scheduler_mark,
    reads=Reads(
        annotations=[*gpu_markers.TRUSTED_ANNOTATIONS, *(key for key, _, _ in gpu_markers.OPT_OUT_ANNOTATIONS)],
        labels=gpu_markers.TRUSTED_LABELS,
        label_values={key: value for key, value, _ in gpu_markers.OPT_OUT_LABELS},
    ),
)
