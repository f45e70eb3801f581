"""Shared by several rules: which requests can be judged, and facts about a pod and its object."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, format_value, is_one_of, is_placeholder
from gpu_admission.workloads import kind_traits, kinds, resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Literal

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container, GpuRequest
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.resources import Resource
    from gpu_admission.workloads.workload import Workload

_RAW_MODES = frozenset({"RawDeployment", "Standard", "ModelMesh"})  # KServe without Knative, old and new names
VENDORS = {"nvidia.com": "nvidia", "amd.com": "amd", "gpu.intel.com": "intel"}  # of resources that a policy adds
_VOLCANO_JOB = ("batch.volcano.sh", "Job")
_CLOUD_RUN = ("run.googleapis.com/", "cloud.googleapis.com/")


def all_metadata(workload: Workload) -> Iterable[tuple[Pointer, Mapping[str, Any]]]:
    """Return the metadata of all pods of an object with their pointers, each once."""
    return {pod.metadata_pointer: pod.metadata for pod in workload.pods}.items()


def asked_vendors(pod: Pod, policy: Policy) -> frozenset[str]:
    """Return the vendors of the cards that a pod requests; portable requests are served by the policy's backend."""
    if not pod.wants_gpu:
        return frozenset()
    known: frozenset[str] | None = pod.cache.get("vendors")
    if known is None:
        known = pod.cache["vendors"] = _vendors(pod, policy)
    return known


def _vendors(pod: Pod, policy: Policy) -> frozenset[str]:
    asked = {vendor_of(gpu.resource, policy) for gpu in pod.gpus if gpu.wants_gpu}
    if pod.shared_container is not None:
        asked.add("nvidia")
    if pod.claims.gpu:
        asked |= {_resolved(vendor, policy) for vendor in pod.claims.vendors()}
    return frozenset(asked)


def vendor_of(resource: Resource, policy: Policy) -> str:
    """Return the vendor of a resource's cards, as in ``spec.tolerations[].vendors``."""
    return _resolved(resource.vendor, policy)


def _resolved(vendor: str, policy: Policy) -> str:
    vendor = backend_vendor(policy) if vendor == "any" else vendor
    return VENDORS.get(vendor, vendor)


def backend_vendor(policy: Policy) -> str:
    """Return the vendor of the cards that the policy's backend shares."""
    parameters = policy.backend.parameters
    if not parameters.keys().isdisjoint(("driver", "deviceClass")):
        from gpu_admission.backends import dra_drivers  # noqa: PLC0415 - start-up time

        return dra_drivers.chosen(parameters).vendor
    return as_str(parameters.get("vendor")) or "nvidia"


def scheduler(workload: Workload, pod: Pod) -> tuple[Pointer, str]:
    """Return the pointer to a pod's schedulerName, and its value.

    A Job of Volcano's gives its own to the pods that name none: volcano-sh/volcano
    pkg/controllers/job/job_controller_util.go, createJobPod.
    """
    value = as_str(pod.spec.get("schedulerName"))
    if not value and (workload.group, workload.kind) == _VOLCANO_JOB:
        own = as_str(as_dict(workload.object.get("spec")).get("schedulerName"))
        if own:
            return (*workload.pointer, "spec", "schedulerName"), own
    return (*pod.pointer, "schedulerName"), value


def serverless(workload: Workload) -> str | None:
    """Return the platform that passes the pod spec through checks like Knative's, or None.

    ``Cloud Run`` uses Knative's kind and has rules of its own. ``KServe`` uses Knative unless the object has
    RawDeployment (newer: Standard) or spans several nodes.
    """
    if workload.group == "serving.knative.dev":
        return "Cloud Run" if any(_of_cloud_run(workload, pod) for pod in workload.pods) else "Knative"
    if workload.group != "serving.kserve.io" or workload.kind != "InferenceService":
        return None
    annotations = as_dict(as_dict(workload.object.get("metadata")).get("annotations"))
    raw = is_one_of(annotations.get("serving.kserve.io/deploymentMode"), _RAW_MODES)
    several = "workerSpec" in as_dict(as_dict(workload.object.get("spec")).get("predictor"))
    return None if raw or several else "KServe"


def _of_cloud_run(workload: Workload, pod: Pod) -> bool:
    metadata = (as_dict(workload.object.get("metadata")), pod.metadata)
    named = [as_dict(where.get(field)) for where in metadata for field in ("annotations", "labels")]
    return any(
        as_str(key).startswith(_CLOUD_RUN) for keys in (*named, as_dict(pod.spec.get("nodeSelector"))) for key in keys
    )


def dumped(workload: Workload) -> bool:
    """Return whether a file was exported from a cluster, so that fields of the scheduler are not the author's."""
    return workload.origin == "file" and bool(as_dict(workload.object.get("metadata")).get("uid"))


def gpus(workload: Workload) -> list[GpuRequest]:
    """Return every GPU resource of every container, except those whose value is a placeholder."""
    found = workload.gpus()
    if workload.origin == "file":
        found = [gpu for gpu in found if not (is_placeholder(gpu.limit) or is_placeholder(gpu.request))]
    return found


def unfilled(workload: Workload, raw: Any) -> bool:
    """Return whether a value is a placeholder in a file; at admission there are none."""
    return workload.origin == "file" and is_placeholder(raw)


def is_patch(workload: Workload, container: Container) -> bool:
    """Return whether a container of a file is only a patch that kustomize merges over another: it has no image.

    What is missing may be in the base, so missing fields are not judged.
    """
    return workload.origin == "file" and container.whole and not container.spec.get("image")


def limits_may_follow(workload: Workload, container: Container) -> bool:
    """Return whether limits that a container lacks may be in its base."""
    imageless = (workload.group, workload.kind) in kind_traits.IMAGELESS
    return not imageless and is_patch(workload, container)


def has_room(container: Container, side: Literal["limits", "requests"]) -> bool:
    """Return whether a key can be added on a side, which must be a mapping or missing."""
    around = container.spec.get(container.key)
    return around is None or (isinstance(around, dict) and isinstance(around.get(side), dict | None))


def is_typed(workload: Workload) -> bool:
    """Return whether the kind is in the table, so that its ``resources`` are Kubernetes' own."""
    return kinds.places(workload.api_version, workload.kind) is not None


def is_of_class(gpu: GpuRequest) -> bool:
    """Return whether a resource is a device class's by name, of which the API server accepts any amount.

    It does not check names under ``kubernetes.io`` as extended resources; an impossible amount stays Pending forever.
    """
    return gpu.name.startswith(resources.CLASS_PREFIX)


def setting(gpu: GpuRequest, raw: Any, side: str) -> str:
    """Return how a message on one side begins: ``container "train" sets nvidia.com/gpu: 1 in requests``."""
    return f"{gpu.container.label} sets {gpu.name}: {format_value(raw)} in {side}"


def asking(gpu: GpuRequest, raw: Any) -> str:
    """Return how a message begins: ``container "train" requests nvidia.com/gpu: 1``."""
    return f"{gpu.container.label} requests {gpu.name}: {format_value(raw)}"
