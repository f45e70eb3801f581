"""GPU310: variables from a ConfigMap or Secret that could set which cards a container sees."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.reads import Reads
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import mapping, mappings, shown, text

from . import devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU310"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find envFrom without a prefix where env does not set the variable itself (env wins over envFrom)."""
    for _, container in workload.containers():
        if devices.NVIDIA in container.env_names:
            continue
        for index, source in mappings(container.spec.get("envFrom")):
            if not text(source.get("prefix")):
                kind = "Secret" if "secretRef" in source else "ConfigMap"
                name = mapping(source.get("secretRef") or source.get("configMapRef")).get("name")
                yield Problem(
                    (*container.pointer, "envFrom", index),
                    f"{container.label} takes all variables of the {kind} {shown(name)}, "
                    f"and whether {devices.NVIDIA} is among them cannot be told from here",
                    f"set {devices.NVIDIA} under env, which wins over envFrom, or list the variables one by one",
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

RULE = Rule(
    id=ID,
    name="unjudged-env-from",
    severity="info",
    since="0.1.0",
    summary="variables from elsewhere that could show a container cards",
    rationale="""\
A ConfigMap can hold `NVIDIA_VISIBLE_DEVICES: all` as well as any other variable, and a pod that takes all of it with
`envFrom` shows no sign of it (GPU301 finds what can be seen). Nearly every envFrom is harmless, so this rule is off
by default; a strict policy that wants every container to say which cards it sees switches it on.""",
    references=("https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/",),
    bad=f"{_HEAD}{_ENV_FROM}",
    good=f"{_HEAD}      env:\n        - name: NVIDIA_VISIBLE_DEVICES\n          value: void\n{_ENV_FROM}",
    default="off",
    check=check,
    reads=Reads(unprefixed=(devices.NVIDIA,)),
)
