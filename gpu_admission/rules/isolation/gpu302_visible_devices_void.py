"""GPU302: a container without a GPU is not kept from seeing GPUs, or one with a GPU is."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import env_vars, intent, triggers, visible_devices
from gpu_admission.rules.common import asked_vendors
from gpu_admission.rules.runtime_variables import DEVICE_LISTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

ID = "GPU302"
BY_PLUGIN = frozenset([name for name, each in DEVICE_LISTS.items() if each.by_plugin])
PASSED_THROUGH = frozenset({"nvidia.com/pgpu", "nvidia.com/pgpu.shared"})  # to a virtual machine, without a list


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find containers without NVIDIA_VISIBLE_DEVICES where the policy requires a value; the repair adds it.

    An author's value is kept (GPU301 judges it), except one that hides the requested card. Cards are not hidden from a
    container that is meant to have a GPU but requests it wrongly, which other rules report. Where the policy hides all
    cards from all pods (``everyPod``) there is no such exception, since it could be exploited: a Pod is repaired, or
    refused.
    """
    every = visible_devices.every_pod(policy)
    for pod in workload.pods:
        if not pod.complete or not (every or pod.wants_gpu):
            continue
        enforced = every and workload.is_pod  # a template is judged once it is a Pod
        blinds = every or "nvidia" in asked_vendors(pod, policy)
        on_served = visible_devices.wanted(policy, served=True)
        on_others = visible_devices.wanted(policy, served=False) if blinds else None
        for container in pod.containers:
            asked = visible_devices.vendors(workload, pod, container, policy)
            if asked and not BY_PLUGIN.isdisjoint(container.env_names):
                yield from _hidden(container, asked, policy)
            served = visible_devices.is_given(asked, "nvidia")
            value = on_served if served else on_others
            if value and _is_unset(container):
                meant = "" if served else intent.to_have_a_gpu(workload, pod, container, policy)
                if not meant or enforced:
                    yield _unset(workload, container, value, served=served, enforced=enforced, meant=meant)


def _is_unset(container: Container) -> bool:
    env = container.spec.get("env")
    if env is not None and not isinstance(env, list):
        return False  # does not decode
    return visible_devices.NVIDIA not in container.env_names


def _unset(
    workload: Workload, container: Container, value: str, *, served: bool, enforced: bool, meant: str
) -> Problem:
    fix, place = env_vars.appended(ID, workload, container, {visible_devices.NVIDIA: value})
    why = "requests a GPU" if served else "requests no NVIDIA GPU"
    so = (
        "the policy requires a value there"
        if served
        else "an image that sets it to all would see every card of the node"
    )
    advice = f"add {visible_devices.NVIDIA} with the value {format_value(value)} to its env"
    if enforced and container.role == "ephemeral":  # ephemeral containers are not patched
        fix, advice = (), f"{advice} (kubectl debug --env={visible_devices.NVIDIA}={value})"
    if not intent.may_be_unread(meant):
        fix, advice = (), f"{advice}, or correct {meant}"
    return Problem(
        place,
        (f"{container.label} {why} and does not set {visible_devices.NVIDIA}", f", and {so}"),
        advice,
        fix=fix,
        safety="safe",
        evidence=(served,),
        severity="error" if enforced and not served else None,
    )


def _hidden(container: Container, asked: frozenset[str], policy: Policy) -> Iterator[Problem]:
    """Find a value that hides from a container the cards that it requests, where the device plugin would set it."""
    if any(gpu.name in PASSED_THROUGH for gpu in container.gpus):
        return
    lists = [name for name in BY_PLUGIN if DEVICE_LISTS[name].vendor in asked]
    for variable in env_vars.variables(container, lists):
        own = visible_devices.wanted(policy, served=True) if variable.name == visible_devices.NVIDIA else None
        value = variable.value
        if value is None or value == own or not DEVICE_LISTS[variable.name].shows_none(value):
            continue
        yield Problem(
            variable.pointer,
            (
                f"{container.label} requests a GPU and sets {variable.name} to {format_value(variable.value)}",
                ", which hides it from the container",
            ),
            (f"remove {variable.name}", ": the device plugin sets it to the cards that the container gets"),
            # Without it, the value from an envFrom would count: only the author can decide.
            fix=() if container.spec.get("envFrom") else env_vars.removed(ID, variable),
            safety="safe",
            severity="warning",
        )


_HEAD = """\
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
    - name: log
      image: example.com/log:1
"""

RULE = Rule(
    id=ID,
    name="visible-devices-void",
    severity="info",
    since="0.1.0",
    summary="a container without a GPU is not kept from seeing GPUs, or one with a GPU is",
    rationale="""\
CUDA images set `NVIDIA_VISIBLE_DEVICES=all` themselves. A sidecar or init container of such an image, in a pod on a GPU
node, sees every card there without a request. With `void` in its env, NVIDIA's runtime ignores the container. The
policy defines the values, and whether every pod gets them (`visibleDevices`). With `everyPod: true` it is enforced: a
container that gets no NVIDIA card is repaired, and refused where that failed, whatever its annotations and its requests
for other vendors' cards. On a container with a GPU the same value hides the GPU, since the pod's own value overrides
the device plugin's.""",
    references=("NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",),
    bad=_HEAD,
    good=f"{_HEAD}      env:\n        - name: NVIDIA_VISIBLE_DEVICES\n          value: void\n",
    policy={"visibleDevices": {"gpuLess": "void", "served": "leave"}},
    when=triggers.value_for_runtime,
    check=check,
    fix="safe",
    may_resolve=frozenset({"GPU301", "GPU310"}),
)
