"""Labels of GPU nodes whose values are written by machines, and what a value was meant to be (for GPU209)."""

from __future__ import annotations

from gpu_admission.core.raw import as_str
from gpu_admission.core.typos import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.policy.model import Policy

_LONGEST = 63  # of a label's value

# NVIDIA/gpu-feature-discovery and NVIDIA/gpu-operator (labels of nodes): set to "true" or "false"
_BOOLEANS = frozenset(
    {
        "nvidia.com/gpu.present",
        "nvidia.com/mig.capable",
        "nvidia.com/mps.capable",
        "nvidia.com/vgpu.present",
        "amd.com/gpu.present",
        "feature.node.kubernetes.io/pci-10de.present",
        "feature.node.kubernetes.io/pci-1002.present",
    }
)
_PRODUCT = "nvidia.com/gpu.product"
_GKE = "cloud.google.com/gke-accelerator"
# https://cloud.google.com/kubernetes-engine/docs/concepts/gpus
_ACCELERATORS = (
    "nvidia-tesla-k80", "nvidia-tesla-p4", "nvidia-tesla-p100", "nvidia-tesla-v100", "nvidia-tesla-t4",
    "nvidia-tesla-a100", "nvidia-a100-80gb", "nvidia-l4", "nvidia-h100-80gb", "nvidia-h100-mega-80gb",
    "nvidia-h200-141gb", "nvidia-b200", "nvidia-gb200", "nvidia-gb300", "nvidia-b300", "nvidia-rtx-pro-6000",
)  # fmt: skip
_TRUE = frozenset({"true", "yes", "y", "1", "on", "present", "enabled"})


def meant(label: object, value: str, policy: Policy) -> str | None:
    """Return the value that was probably meant; None where it is right, or cannot be told."""
    if label in _BOOLEANS:
        return None if value in {"true", "false"} or value.lower() not in {*_TRUE, "false"} else _boolean(value)
    if label == _PRODUCT:
        dashed = "-".join(value.split())  # gpu-feature-discovery writes the product's name so
        products = {as_str(card.get("product")) for card in policy.cards} - {""}
        return dashed if dashed != value else _near(value, tuple(products))
    return _near(value, _ACCELERATORS) if label == _GKE else None


def _boolean(value: str) -> str:
    return "false" if value.lower() == "false" else "true"


def _near(value: str, known: tuple[str, ...]) -> str | None:
    if value in known or len(value) > _LONGEST:
        return None
    folded = {valid.lower(): valid for valid in sorted(known)}
    word = value.lower().replace("_", "-")
    near = word if word in folded else nearest(word, _same_digits(word, folded), 2)
    return None if near is None else folded[near]


def _same_digits(word: str, known: dict[str, str]) -> list[str]:
    """Leave out what is another card: ``nvidia-l40`` is no slip of ``nvidia-l4``."""
    return [valid for valid in known if _digits(valid) == _digits(word)]


def _digits(word: str) -> list[str]:
    return [letter for letter in word if letter.isdigit()]
