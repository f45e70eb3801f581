"""Dynamic resource allocation with NVIDIA's driver: a claim made from a template that exists already."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB, exact_bytes

from .base import Backend, Page
from .portable import Emission, Request, ceil_div
from .refusal import UNTRANSLATABLE, Refused
from .spelling import NVIDIA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base import Facts


MOST_CLAIMS = 64  # of one container: each is an entry of the pod, and no node has as many GPUs


class Dra(Backend):
    """One claim a GPU, each of the template that the policy names."""

    name = "dra"
    whole_cards = True
    title = "dynamic resource allocation"
    leaves = frozenset({NVIDIA})  # NVIDIA's device plugin on other nodes, or a DeviceClass with that name

    def write(self, request: Request, facts: Facts) -> Emission:
        """Refer to the template, once a GPU: what it gives is the administrator's promise.

        ``templatePerRequest``, which the command ``translate`` sets, refers to a template of its own per request.
        """
        template_name = facts.parameters.get("template")
        if not template_name:
            raise Refused(
                UNTRANSLATABLE,
                "and the policy names no ResourceClaimTemplate that would give it",
                "refer to a claim of your own (spec.resourceClaims); the policy needs backend.template",
            )
        if request.limits_cores:
            raise Refused(
                UNTRANSLATABLE,
                f"{request.percent} percent of a GPU's compute, and a claim gives whole devices",
                "leave the percentage of compute out",
            )
        if facts.parameters.get("templatePerRequest"):
            return Emission(claims={template_name: template_for(template_name, request)})
        if request.count > MOST_CLAIMS:
            raise Refused(
                UNTRANSLATABLE,
                f"{request.count} GPUs, which would be as many claims",
                f"ask for {MOST_CLAIMS} at most, or refer to a claim of your own that gives several",
            )
        names = [template_name] if request.count == 1 else [f"{template_name}-{n + 1}" for n in range(request.count)]
        note = "" if request.memory is None else f"the template has to give at least {exact_bytes(request.memory)}"
        return Emission(claims=dict.fromkeys(names, template_name), notes=(note,) if note else ())


def template_for(base: str, request: Request) -> str:
    """Return the name of the template for one kind of request: ``gpu``, ``gpu-8gi``, ``gpu-2x-8gi``."""
    count = f"-{request.count}x" if request.count > 1 else ""
    memory = "" if request.memory is None else f"-{exact_bytes(request.memory).lower()}"
    return f"{base}{count}{memory}"


def template(name: str, request: Request) -> dict[str, Any]:
    """Return a ResourceClaimTemplate that gives one GPU with the memory of a request (Kubernetes 1.34 on)."""
    exactly: dict[str, Any] = {"deviceClassName": "gpu.nvidia.com", "count": request.count}
    if request.memory is not None:
        amount = f"{ceil_div(request.memory, MIB)}Mi"
        capacity = "device.capacity['gpu.nvidia.com'].memory"
        exactly["selectors"] = [{"cel": {"expression": f"{capacity}.compareTo(quantity('{amount}')) >= 0"}}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}},
    }


BACKEND = Dra()
BACKEND.page = Page(
    summary="""\
A pod refers to resource claims, which Kubernetes makes from a ResourceClaimTemplate that exists in its namespace: one
claim a GPU, of the `template` that the policy names. What a claim gives is the template's affair: admission can neither
make templates nor look into them. `gpu-admission translate --to dra` prints templates that fit the requests.""",
    refuses=(
        ("a percentage of compute", "a claim gives whole devices"),
        ("templates of Knative services", "Knative refuses resource claims; their pods are translated all the same"),
        ("any request, where the policy names no `template`", "creating claims is not admission's to do"),
    ),
    install="""\
Kubernetes 1.34 or newer with NVIDIA's DRA driver (namespace `nvidia-dra-driver-gpu`, which the shipped policy exempts).
Create the template in every namespace that uses GPUs.""",
    traps=(
        "A template is looked up in the pod's namespace: where it is missing, the pod waits.",
        (
            "Quotas on `requests.nvidia.com/gpu` do not count claims; use a quota on "
            "`gpu.nvidia.com.deviceclass.resource.k8s.io/devices`."
        ),
    ),
    sources=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
        "NVIDIA/k8s-dra-driver-gpu: demo/specs/quickstart",
    ),
)
