"""GPU310: variables from a ConfigMap or Secret that could set which cards a container sees."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import env_vars, intent, visible_devices
from gpu_admission.rules.runtime_variables import DEVICE_LISTS, SWITCHES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.env_vars import OpenSource
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU310"
# Every list of devices, and every switch that opens more than a container's own card. Families of variables are here by
# their plain name: env cannot prevent the others (docs/security.md).
NAMES = (
    *(name for name in DEVICE_LISTS if not name.endswith("_")),
    *(name for name, switch in SWITCHES.items() if switch.severity == "error"),
)


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find envFrom without a prefix where env does not set all of the variables itself (env wins over envFrom).

    A container that gets no card is repaired: each variable is set to a value without effect.
    """
    for pod, container in workload.containers():
        for source in env_vars.open_sources(container, NAMES, prefixed=False):
            if not visible_devices.is_licensed_source(workload, pod, container, source.source, policy):
                yield _problem(workload, pod, container, source, policy)


def _problem(workload: Workload, pod: Pod, container: Container, source: OpenSource, policy: Policy) -> Problem:
    fix: tuple[Operation, ...] = ()
    if intent.may_be_blinded(workload, pod, container, policy):
        values = {name: visible_devices.off(name, policy) for name in source.names}
        fix, _ = env_vars.appended(ID, workload, container, values)
    return Problem(
        source.pointer,
        (
            f"{container.label} takes all variables of {source.label}",
            ", and whether any of them shows it cards is not visible here",
        ),
        (
            "list the variables one by one under env",
            f", or give the envFrom a prefix; it can set {source.listed}, unless env does (which wins)",
        ),
        fix=fix,
        safety="safe",
    )


_HEAD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: example.com/web:1
"""
_ENV_FROM = """\
      envFrom:
        - configMapRef: {name: settings}
"""
_EMPTY = '""'
_CLOSED = "".join(f"        - name: {name}\n          value: {visible_devices.off(name) or _EMPTY}\n" for name in NAMES)

RULE = Rule(
    id=ID,
    name="unjudged-env-from",
    severity="info",
    since="0.1.0",
    summary="variables from a ConfigMap or Secret that could show a container cards",
    rationale="""\
A ConfigMap can contain `NVIDIA_VISIBLE_DEVICES: all` like any other variable, and a pod that takes all of it with
`envFrom` does not show it (GPU301 finds visible values). The same applies for every other vendor's list and for the
switches of NVIDIA's toolkit. Nearly every envFrom is harmless, so this rule is off by default; a strict policy that
requires every container to list its variables enables it. A container without a GPU is then repaired: `env` wins over
`envFrom`, so each of these variables is set there to a value that shows no card.""",
    references=("https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/",),
    bad=f"{_HEAD}{_ENV_FROM}",
    good=f"{_HEAD}{_ENV_FROM}      env:\n{_CLOSED}",
    default="off",
    check=check,
    reads=Reads(unprefixed=NAMES),
    reads_at_mutation=Reads(unprefixed=NAMES),
    fix="safe",
)
