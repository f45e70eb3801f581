"""GPU205: a field for placing pods that Knative refuses unless a feature flag is on."""

from __future__ import annotations

from gpu_admission.backends import known
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value, is_one_of
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import triggers
from gpu_admission.rules.common import serverless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU205"

# field -> flag of the ConfigMap config-features, all off by default; None: refused under any flag.
# knative/serving: pkg/apis/config/features.go, pkg/apis/serving/fieldmask.go
FLAGS: dict[str, str | None] = {
    "affinity": "kubernetes.podspec-affinity",
    "hostIPC": "kubernetes.podspec-hostipc",
    "hostPID": "kubernetes.podspec-hostpid",
    "initContainers": "kubernetes.podspec-init-containers",
    "nodeName": None,
    "nodeSelector": "kubernetes.podspec-nodeselector",
    "priorityClassName": "kubernetes.podspec-priorityclassname",
    "resourceClaims": None,
    "runtimeClassName": "kubernetes.podspec-runtimeclassname",
    "schedulerName": "kubernetes.podspec-schedulername",
    "shareProcessNamespace": "kubernetes.podspec-shareprocessnamespace",
    "tolerations": "kubernetes.podspec-tolerations",
    "topologySpreadConstraints": "kubernetes.podspec-topologyspreadconstraints",
}
_PLATFORMS = frozenset({"Knative", "KServe"})


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find fields beside a GPU in templates of Knative, and of KServe where it deploys through Knative."""
    platform = serverless(workload) or ""
    if platform not in _PLATFORMS:
        return
    for pod in workload.pods:
        if pod.wants_gpu or is_one_of(pod.spec.get("schedulerName"), known.SCHEDULERS):
            for field, flag in FLAGS.items():
                if pod.spec.get(field):
                    yield _problem(platform, pod, field, flag)


def _problem(platform: str, pod: Pod, field: str, flag: str | None) -> Problem:
    value = pod.spec[field]
    field_text = f"{field}: {format_value(value)}" if isinstance(value, str) else field
    why = "Knative refuses it" if platform == "Knative" else "KServe deploys this through Knative, which refuses it"
    if flag is None:
        message, advice = (
            (f"{field_text} is not allowed by any feature flag of Knative", f", and {why}"),
            f"remove {field}",
        )
        more = ""
    else:
        message = (f"{field_text} needs Knative's feature flag {flag}", f", and {why} without")
        advice = f'set {flag}: enabled in the ConfigMap "config-features" of knative-serving'
        more = f", or remove {field}"
    if platform == "KServe":
        more += ', or annotate the object with serving.kserve.io/deploymentMode: "RawDeployment"'
    return Problem((*pod.pointer, field), message, (advice, more), evidence=())


_HEAD = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: llm
spec:
  template:
    spec:
"""
_CONTAINERS = """\
      containers:
        - name: llm
          image: example.com/llm:1
          resources:
            limits:
              nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="serverless-field",
    severity="warning",
    since="0.1.0",
    summary="a field that Knative refuses unless a feature flag is on",
    rationale="""\
Knative checks the pod spec of its templates itself and refuses every field that it does not support, or only behind a
feature flag: schedulerName, tolerations, nodeSelector, affinity, runtimeClassName and their like. A KServe
InferenceService in its serverless mode makes such a template: it is accepted, and the refusal shows only in its status.
The pods themselves are not checked: what an admission webhook adds to them needs no flag.""",
    references=(
        "https://knative.dev/docs/serving/configuration/feature-flags/",
        "knative/serving: pkg/apis/config/features.go",
        "https://kserve.github.io/website/docs/model-serving/node-scheduling/isvc-node-scheduling",
    ),
    bad=f"{_HEAD}      schedulerName: volcano\n{_CONTAINERS}",
    good=f"{_HEAD}{_CONTAINERS}",
    admission_kinds=frozenset({"template"}),
    check=check,
    when=triggers.serverless,
)
