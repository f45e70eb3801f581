"""Which device class was meant by an unknown name: one search for all places that name classes."""

from __future__ import annotations

from gpu_admission.core import typos
from gpu_admission.workloads import claims, device_classes
from gpu_admission.workloads.claim_index import DEVICE_CLASS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

_LONGEST = 64
_MIG = "nvidia.com/mig-"
# Resources of device plugins -> the equivalent class, where the class itself does not declare it.
_BY_RESOURCE = {
    "amd.com/gpu": "gpu.amd.com",
    "gpu.intel.com/i915": "gpu.intel.com",
    "gpu.intel.com/xe": "gpu.intel.com",
    "intel.com/gpu": "gpu.intel.com",
    "habana.ai/gaudi": "gaudi.intel.com",
    "google.com/tpu": "tpu.google.com",
}


def is_known(name: str, workload: Workload, policy: Policy) -> bool:
    """Return whether a class is one of a known driver's, the policy's, or seen in the same input."""
    if claims.class_facts(name, policy, workload.claim_index) is not None:
        return True
    return workload.claim_index.find(DEVICE_CLASS, name) is not None


def of_resource(name: str) -> str | None:
    """Return the class that is equivalent to a resource of a device plugin, None for other names."""
    if name.startswith(_MIG):
        return "mig.nvidia.com"
    shipped = (device_classes.known(each) for each in device_classes.gpu_names())
    return _BY_RESOURCE.get(name) or next((facts.name for facts in shipped if facts and facts.extended == name), None)


def meant(name: str, policy: Policy) -> str | None:
    """Return the GPU class that a name resembles; None where it is one, or resembles none."""
    if not name or len(name) > _LONGEST or device_classes.known(name) is not None:
        return None
    known = (*device_classes.gpu_names(), *policy.claims.classes.patterns)
    known = tuple(each for each in known if "*" not in each and "[" not in each and "?" not in each)
    if name in known:
        return None
    resource = of_resource(name)
    if resource is not None:
        return resource
    lower = name.lower().replace("/", ".")
    if "." not in lower:
        return None  # may well be an administrator's own
    labels = sorted(lower.split("."))
    for each in known:
        if sorted(each.split(".")) == labels or each.startswith(f"{lower}.") or each == f"gpu.{lower}":
            return each
    return typos.nearest(lower, known, 2)
