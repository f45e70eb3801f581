"""GPU005: a GPU's request only repeats its limit."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container, GpuRequest
    from gpu_admission.workloads.workload import Workload

ID = "GPU005"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find GPU requests that repeat the limit; the repair removes them, and ``requests`` if it becomes empty.

    In a patch of kustomize, and in objects that are merged over a runtime or a chart's values, the request may override
    another: it is kept.
    """
    repeated: dict[Container, list[GpuRequest]] = {}
    merged = {container.pointer for pod in workload.pods if pod.merged for container in pod.containers}
    for gpu in common.gpus(workload):
        if gpu.container.pointer not in merged and _repeats(gpu) and not common.is_patch(workload, gpu.container):
            repeated.setdefault(gpu.container, []).append(gpu)
    for container, gpus in repeated.items():
        nothing_left = len(gpus) == len(container.requests)
        for gpu in gpus:
            place = gpu.pointer("requests")
            yield Problem(
                place,
                (common.setting(gpu, gpu.request, "requests"), ", which only repeats the limit"),
                (f"leave {gpu.name} out of resources.requests", ": Kubernetes copies it there from the limit"),
                fix=(patch.remove(ID, place[:-1] if nothing_left else place),),
                safety="safe",
            )


def _repeats(gpu: GpuRequest) -> bool:
    limit = gpu.quantity("limits")
    return limit is not None and limit == gpu.quantity("requests")


RULE = Rule(
    id=ID,
    name="request-not-needed",
    severity="info",
    since="0.1.0",
    summary="a GPU's request only repeats its limit",
    rationale="""\
Kubernetes copies the limit of a GPU to its request when the Pod is created, so a request beside it is redundant. It is
a source of errors: after a change of only one of the two, the Pod is refused. "Limits only" is the form that the
Kubernetes documentation recommends for GPUs, and a `strict` policy requires it.

Pods at admission are not judged: there the API server has already copied it.""",
    references=(
        "https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
        "kubernetes/kubernetes: pkg/apis/core/v1/defaults.go, SetDefaults_Pod",
    ),
    bad="""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: serve
spec:
  template:
    spec:
      containers:
        - name: serve
          image: example.com/serve:1
          resources:
            requests:
              memory: 16Gi
              nvidia.com/gpu: 1
            limits:
              nvidia.com/gpu: 1
        - name: embed
          image: example.com/embed:1
          resources:
            requests:
              nvidia.com/gpu: 2
            limits:
              nvidia.com/gpu: "2"
""",
    good="""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: serve
spec:
  template:
    spec:
      containers:
        - name: serve
          image: example.com/serve:1
          resources:
            requests:
              memory: 16Gi
            limits:
              nvidia.com/gpu: 1
        - name: embed
          image: example.com/embed:1
          resources:
            limits:
              nvidia.com/gpu: "2"
""",
    scope="request",
    when=triggers.request_beside_limit,
    check=check,
    fix="safe",
    admission_kinds=frozenset({TEMPLATE}),
)
