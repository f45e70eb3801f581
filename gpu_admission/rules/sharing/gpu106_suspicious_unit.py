"""GPU106: an amount of GPU memory that is off by about 1024."""

from __future__ import annotations

from gpu_admission.backends.rejection import UNIT
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU106"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find amounts that are far too large or small for the unit of their resource."""
    yield from backend_plan.refusals(workload, policy, UNIT)


RULE = Rule(
    id=ID,
    name="suspicious-unit",
    severity="warning",
    since="0.1.0",
    summary="an amount of GPU memory that is off by about 1024",
    rationale="""\
`aliyun.com/gpu-mem` counts GiB (or MiB, if its device plugin is configured so), `volcano.sh/gpu-memory` and
`nvidia.com/gpumem` count MiB, `gpu-admission.io/gpu-mem` counts bytes and accepts suffixes. A manifest that is moved
from one to another, or a suffix on a plain number, is off by a factor of 1024: the pod stays Pending forever, gets
nothing, or (HAMi, beyond int32) is served as if it had requested no memory at all. It is an error where no unit
explains the amount (`8` bytes, `8Gi` where GiB are counted), and in names that would have to be translated. A zero of
`nvidia.com/gpumem` or `volcano.sh/vgpu-memory` is another pitfall: it means all of the card.""",
    references=(
        "AliyunContainerService/gpushare-device-plugin: cmd/nvidia/main.go",
        "Project-HAMi/HAMi: docs/config.md",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          aliyun.com/gpu-mem: 8192
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          aliyun.com/gpu-mem: 8
""",
    scope="request",
    check=check,
    when=triggers.backend_refuses,
    policy={"backend": {"name": "gpushare"}},
)
