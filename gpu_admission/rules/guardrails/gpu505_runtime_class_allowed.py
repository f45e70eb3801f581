"""GPU505: a pod with a GPU under a runtime class that the policy does not allow."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_str, format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU505"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find runtime classes of pods with a GPU that are not among the policy's, if it names any.

    A pod without a class runs under the node's default runtime (GPU204 finds it where it needs a class).
    """
    allowed = policy.guardrails.runtime_classes
    if allowed is None:
        return
    for pod in workload.pods:
        given = as_str(pod.spec.get("runtimeClassName"))
        if not pod.wants_gpu or not given or common.unfilled(workload, given):
            continue
        if given != policy.runtime_class and not allowed.match(given):
            names = ", ".join(dict.fromkeys([*filter(None, [policy.runtime_class]), *allowed.patterns]))
            yield Problem(
                (*pod.pointer, "runtimeClassName"),
                (
                    f"the pod requests a GPU and sets runtimeClassName to {format_value(given)}",
                    ", which this cluster's policy does not allow for GPU pods",
                ),
                f"use one of: {names}; or remove runtimeClassName" if names else "remove runtimeClassName",
            )


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  runtimeClassName: {name}
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="runtime-class-allowed",
    severity="error",
    since="0.1.0",
    summary="a pod with a GPU under a runtime class that the policy does not allow",
    rationale="""\
A runtime class chooses the program that starts the container, and with it whether its GPU is injected, isolated or
passed through to a virtual machine. A class that is not for GPUs starts the container without the driver, or bypasses
the runtime that the administrator relies on for isolation. The policy lists the classes of pods with a GPU
(`guardrails.runtimeClasses`, names or shell patterns); its own `runtimeClassName` is always allowed. Pods that set none
are not judged.""",
    references=(
        "https://kubernetes.io/docs/concepts/containers/runtime-class/",
        "open-policy-agent/gatekeeper-library: pull request 737",
    ),
    bad=_POD.format(name="runc-debug"),
    good=_POD.format(name="nvidia"),
    policy={"guardrails": {"runtimeClasses": ["nvidia"]}},
    default="off",
    scope="request",
    check=check,
)
