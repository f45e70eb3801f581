"""GPU011: a misspelt key around a GPU: ``request`` for ``requests``."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import misspelt_keys, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

ID = "GPU011"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find keys that resemble ``limits`` or ``requests``, or ``resources`` around them, where a GPU is near."""
    for container, place, near in misspelt_keys.find(workload, policy):
        yield _problem(workload, container, place, near)


def _problem(workload: Workload, container: Container, place: Pointer, near: str) -> Problem:
    parent, key = place[:-1], str(place[-1])
    around = container.spec if near == "resources" else container.resources
    free = around.get(near) is None
    fix = (patch.remove(ID, place), patch.add(ID, workload.document, (*parent, near), around[key])) if free else ()
    return Problem(
        place,
        (
            f'{container.label} has "{escape(key)}" where Kubernetes expects "{near}"',
            ", and ignores everything under it",
        ),
        f'write "{near}" instead' if free else f'move its content to "{near}", which is there as well',
        fix=fix,
        safety="unsafe",
        evidence=(),
    )


RULE = Rule(
    id=ID,
    name="unknown-resources-key",
    severity="warning",
    since="0.1.0",
    summary="a misspelt key around a GPU: request for requests",
    rationale="""\
A container's `resources` hold `limits`, `requests` and `claims`. A key that only resembles one of them (`limit`,
`request`, `Limits`) is dropped: by the API server with a warning that few tools show, by custom kinds without one, and
the GPU in it is never requested. The same applies to a misspelt `resources`. Only keys with a GPU in or beside them are
judged.""",
    references=(
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
        "https://kubernetes.io/docs/reference/using-api/api-concepts/#setting-the-field-validation-level",
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
        limit:
          nvidia.com/gpu: 1
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
          nvidia.com/gpu: 1
""",
    when=triggers.unknown_key,
    check=check,
    fix="unsafe",
    admission_kinds=frozenset({TEMPLATE}),
)
