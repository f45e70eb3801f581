"""GPU309: a pod shares the node's processes or memory while sharing a GPU by MPS."""

from __future__ import annotations

from gpu_admission.backends import known, per_pod
from gpu_admission.core.finding import Problem
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import env_vars, triggers, visible_devices
from gpu_admission.rules.runtime_variables import MPS_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU309"
_FIELDS = {"hostPID": "the node's processes", "hostIPC": "the node's shared memory"}


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find hostPID and hostIPC on pods that reach a card through NVIDIA's Multi-Process Service."""
    for pod in workload.pods:
        opened = [field for field in _FIELDS if pod.spec.get(field) is True and not _is_allowed(field, policy)]
        if opened and _uses_mps(workload, pod, policy):
            for field in opened:
                yield Problem(
                    (*pod.pointer, field),
                    (
                        f"the pod shares its GPU through MPS and sets {field}: true",
                        f", which opens {_FIELDS[field]} and with that the work of the other clients of the MPS daemon",
                    ),
                    (f"remove {field}", "; the device plugin mounts what MPS needs"),
                )


def _is_allowed(field: str, policy: Policy) -> bool:
    """Return whether the policy allows it, because the cluster's MPS needs it (GKE's and nos's do)."""
    return field == "hostIPC" and policy.backend.parameters.get("hostIPC") == "allow"


def _uses_mps(workload: Workload, pod: Pod, policy: Policy) -> bool:
    """Return whether a container reaches NVIDIA's daemon: by a share under MPS, or by the daemon's variables or mounts.

    One with other vendors' cards only is not a client, whatever its variables; there is no MPS on MIG devices.
    """
    for container in pod.containers:
        asked = visible_devices.vendors(workload, pod, container, policy)
        served = visible_devices.is_given(asked, "nvidia")
        divided = any(gpu.wants_gpu and gpu.resource.sharing != "partition" for gpu in container.gpus)
        if served and divided and per_pod.backend_name(pod, policy) in known.USES_MPS:
            return True
        if any([reference.claim and reference.claim.uses_mps for reference in pod.claims.of(container)]):
            return True
        if (served or not asked) and env_vars.variables(container, prefixes=(MPS_PREFIX,)):
            return True
    return False


def _reads(policy: Policy) -> Reads:
    opened = tuple([field for field in _FIELDS if not _is_allowed(field, policy)])
    return Reads(variables={MPS_PREFIX: (), f"{MPS_PREFIX}*": ()}, beside=opened)


_HEAD = """\
apiVersion: v1
kind: Pod
metadata:
  name: infer
spec:
"""
_CONTAINERS = """\
  containers:
    - name: infer
      image: example.com/infer:1
      resources:
        limits:
          nvidia.com/gpu.shared: 1
"""

RULE = Rule(
    id=ID,
    name="host-namespace-mps",
    severity="error",
    since="0.1.0",
    summary="hostPID or hostIPC together with MPS",
    rationale="""\
MPS runs the kernels of several pods in one daemon's context, and trusts its pipe and shared memory. A pod in the node's
PID or IPC namespace can trace, signal or read the other clients and the daemon itself. NVIDIA's device plugin mounts
the pipe and a shared memory of its own, so neither is needed. Some platforms' own set-up of MPS does need hostIPC
(GKE's GPU sharing, nos): there set `backend: {name: mps, hostIPC: allow}`.""",
    references=(
        "https://docs.nvidia.com/deploy/mps/index.html",
        "NVIDIA/k8s-device-plugin: internal/plugin/server.go",
        "https://cloud.google.com/kubernetes-engine/docs/how-to/nvidia-mps-gpus",
    ),
    bad=f"{_HEAD}  hostIPC: true\n{_CONTAINERS}",
    good=f"{_HEAD}{_CONTAINERS}",
    policy={"backend": {"name": "mps", "replicas": 4}},
    check=check,
    when=triggers.host_namespace,
    reads=_reads,
)
