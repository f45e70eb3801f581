"""GPU013: a variable selects cards that the container does not have."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, device_count, env_vars, triggers
from gpu_admission.rules.runtime_variables import CARD_SELECTORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.env_vars import Variable
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

ID = "GPU013"
_MOST = 256  # longest list that is read, in characters


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find numbers of cards beyond those that the container requests; privileged containers see every card."""
    for _, container in workload.containers():
        if not container.has_gpu_request:
            continue
        if as_dict(container.spec.get("securityContext")).get("privileged"):
            continue
        for variable in env_vars.variables(container, CARD_SELECTORS):
            value, count = variable.value or "", _cards(container, CARD_SELECTORS[variable.name], policy)
            beyond = [number for number in _numbers(value) if number >= count]
            if count and beyond and not common.unfilled(workload, value):
                yield _problem(container, variable, count, beyond[0])


def _problem(container: Container, variable: Variable, count: int, beyond: int) -> Problem:
    what = f"{container.label} sets {variable.name} to {format_value(variable.value)}"
    why = (
        f", but it has {count} of these cards, numbered from 0: number {beyond} does not exist, "
        "and the program sees no card from there on"
    )
    return Problem(
        variable.pointer,
        (what, why),
        (f"remove {variable.name}", ": a container sees only the cards that it requests"),
        fix=env_vars.removed(ID, variable),
        safety="unsafe",
        evidence=(variable.name, variable.value or "", count),
    )


def _cards(container: Container, vendor: str, policy: Policy) -> int:
    """Return how many devices of a vendor a container requests; 0 where that is not certain."""
    devices = [gpu for gpu in container.gpus if device_count.vendor(gpu, policy) == vendor and gpu.wants_gpu]
    counted = [gpu for gpu in devices if gpu.resource.unit == "device"]
    return sum(device_count.count(gpu) for gpu in counted) if all(gpu.is_valid for gpu in counted) else 0


def _numbers(value: str) -> list[int]:
    """Return the numbers of a list; none where it holds anything else (UUIDs, ``-1`` for no card)."""
    words = [word.strip() for word in value.split(",")] if len(value) <= _MOST else []
    return [int(word) for word in words] if all(word.isascii() and word.isdigit() for word in words) else []


_POD = """\
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
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="hidden-device",
    severity="warning",
    since="0.2.0",
    summary="a variable selects cards that the container does not have",
    rationale="""\
CUDA_VISIBLE_DEVICES and similar variables select among the cards of the container, which are numbered from 0, whichever
cards of the node they are. With one GPU, `CUDA_VISIBLE_DEVICES: "1"` names a card that does not exist: the program
starts, finds no GPU, and fails or computes on the CPU. It is common on machines without Kubernetes, where the variable
assigns cards to programs.""",
    references=(
        "https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html",
        "https://rocm.docs.amd.com/en/latest/conceptual/gpu-isolation.html",
    ),
    bad=f"""\
{_POD}      env:
        - name: CUDA_VISIBLE_DEVICES
          value: "1"
        - name: MODE
          value: fast
""",
    good=f"""\
{_POD}      env:
        - name: MODE
          value: fast
""",
    scope="request",
    check=check,
    when=triggers.card_selector,
    fix="unsafe",
)
