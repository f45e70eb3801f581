"""GPU101: a request that the policy's backend writes differently; the repair translates it."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

from .translation import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.backends.base import ContainerRequest
    from gpu_admission.backends.plan import PodPlan
    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU101"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find requests in other names than the backend's, in pods of which nothing must be refused."""
    for pod, plan in backend_plan.of_pods(workload, policy):
        if plan.translatable:
            writer = Writer(ID, workload, pod)
            if plan.translations:
                yield from _translated(workload, pod, plan, writer)
            else:
                yield from _completed(plan, writer)


def _translated(workload: Workload, pod: Pod, plan: PodPlan, writer: Writer) -> Iterator[Problem]:
    """Yield a problem for each container: all of them are translated, or none."""
    fixes = [writer.translation(asked) for asked in plan.translations]
    if any(asked.native_request.claims for asked in plan.translations):
        # Entries of the pod are in the repair of the last container that uses them.
        once = writer.together(fixes, plan.translations) if all(fixes) else ()
        yield _problem(workload, pod, plan, plan.translations[0], once)
        return
    for asked, fix in zip(plan.translations, fixes, strict=True):
        yield _problem(workload, pod, plan, asked, fix if all(fixes) else ())


def _completed(plan: PodPlan, writer: Writer) -> Iterator[Problem]:
    """Yield a problem for what a pod in the backend's own names lacks."""
    wanted = plan.completion.description()
    fix = writer.completion(plan.completion)
    if fix:
        first = plan.asked[0]
        yield Problem(
            first.native_request.pointer,
            (
                f"{first.container.label} requests {first.native_request.description}",
                f", and the pod lacks the {wanted} that {plan.backend.title} requires",
            ),
            (f"write the {wanted}", ", as this policy does to Pods that name none"),
            fix=fix,
            safety="safe",
            evidence=(wanted,),
        )


def _problem(
    workload: Workload, pod: Pod, plan: PodPlan, asked: ContainerRequest, fix: tuple[Operation, ...]
) -> Problem:
    backend_patch = asked.backend_patch
    wanted = backend_patch.description() if backend_patch else ""
    if asked.native:
        return _incomplete(plan, asked, wanted, fix)
    notes = f" ({'; '.join(backend_patch.notes)})" if backend_patch and backend_patch.notes else ""
    where = "write" if fix else "leave it here (Pods are translated when they are admitted), or write on the Pods"
    advice = (f"{where} {wanted}", backend_plan.quota(workload, pod, asked))
    return Problem(
        asked.native_request.pointer,
        (
            f"{asked.container.label} requests {asked.native_request.description}",
            f" in names that {plan.backend.title} does not recognise; it expects {wanted}{notes}",
        ),
        advice,
        fix=fix,
        safety="safe",
        evidence=asked.native_request.evidence,
    )


def _incomplete(plan: PodPlan, asked: ContainerRequest, wanted: str, fix: tuple[Operation, ...]) -> Problem:
    return Problem(
        asked.native_request.pointer,
        (
            f"{asked.container.label} requests {asked.native_request.description}",
            f", which {plan.backend.title} serves only together with the other settings",
        ),
        f"write {wanted}",
        fix=fix,
        safety="safe",
        severity="warning",
        evidence=asked.native_request.evidence,
    )


RULE = Rule(
    id=ID,
    name="portable-request",
    severity="info",
    since="0.1.0",
    summary="a portable or foreign request for a part of a GPU that the policy's backend writes differently",
    rationale="""\
A container's GPU memory can be requested in portable names (`gpu-admission.io/gpu-mem: 8Gi`, `gpu-count`, `gpu-core`)
or in those of any sharing system, and the cluster's policy names its own system. The webhook rewrites Pods when they
are admitted, both limits and requests, with the annotations, labels and node selection that are needed; amounts are
rounded up, never down. `gpu-lint --fix` and `gpu-admission translate` write it into files. What a request in the
backend's own names certainly lacks (`volcano.sh/vgpu-number: 1` beside an amount of memory) is a warning, and written
too. Rejected requests are never partly translated: see GPU102 to GPU109. Kueue reads templates and counts the names
there; a ResourceQuota counts Pods, by the translated names.""",
    references=(
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources",
        "https://kueue.sigs.k8s.io/docs/tasks/manage/administer_cluster_quotas/",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: notebook
spec:
  containers:
    - name: notebook
      image: example.com/notebook:1
      resources:
        limits:
          gpu-admission.io/gpu-mem: 8Gi
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: notebook
spec:
  containers:
    - name: notebook
      image: example.com/notebook:1
      resources:
        limits:
          volcano.sh/vgpu-number: 1
          volcano.sh/vgpu-memory: 8192
""",
    scope="request",
    check=check,
    when=triggers.backend_writes,
    fix="safe",
    policy={"backend": {"name": "volcano-vgpu"}},
)
