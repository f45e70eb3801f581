"""Labels of GPU nodes whose values are written by programs, and the value that was meant (for GPU209)."""

from __future__ import annotations

from gpu_admission.backends import known
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
# The values of labels that have only these: NVIDIA/k8s-device-plugin internal/lm (nvml.go, mig-strategy.go)
_VALUES = {
    "nvidia.com/mig.strategy": ("none", "single", "mixed"),
    "nvidia.com/gpu.sharing-strategy": ("none", *sorted(known.SHARED_BY_COUNT)),
    "nvidia.com/gpu.family": (
        "kepler", "maxwell", "pascal", "volta", "turing", "ampere", "ada-lovelace", "hopper", "blackwell",
    ),
}  # fmt: skip
# aws/karpenter-provider-aws pkg/providers/instancetype/types.go writes EC2's names in lower case, joined by dashes.
_KARPENTER = frozenset({"karpenter.k8s.aws/instance-gpu-name", "karpenter.k8s.aws/instance-gpu-manufacturer"})
_PRODUCT = "nvidia.com/gpu.product"
# Cards as the driver names them and gpu-feature-discovery writes them; only compared for case and a shortened GB.
_PRODUCTS = (
    "Tesla-T4", "Tesla-V100-SXM2-16GB", "Tesla-V100-SXM2-32GB", "Tesla-P100-PCIE-16GB", "NVIDIA-A100-SXM4-40GB",
    "NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-PCIE-40GB", "NVIDIA-A100-80GB-PCIe", "NVIDIA-A10", "NVIDIA-A10G",
    "NVIDIA-A30", "NVIDIA-A40", "NVIDIA-L4", "NVIDIA-L40", "NVIDIA-L40S", "NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe",
    "NVIDIA-H100-NVL", "NVIDIA-H200", "NVIDIA-B200", "NVIDIA-GeForce-RTX-3090", "NVIDIA-GeForce-RTX-4090",
)  # fmt: skip
_BY_PRODUCT = {each.lower(): each for each in _PRODUCTS}
_SHARED = "-SHARED"  # suffix of gpu-feature-discovery for shared cards, beside -MIG-<profile>
_GKE = "cloud.google.com/gke-accelerator"
# https://cloud.google.com/kubernetes-engine/docs/concepts/gpus
_ACCELERATORS = (
    "nvidia-tesla-k80", "nvidia-tesla-p4", "nvidia-tesla-p100", "nvidia-tesla-v100", "nvidia-tesla-t4",
    "nvidia-tesla-a100", "nvidia-a100-80gb", "nvidia-l4", "nvidia-h100-80gb", "nvidia-h100-mega-80gb",
    "nvidia-h200-141gb", "nvidia-b200", "nvidia-gb200", "nvidia-gb300", "nvidia-b300", "nvidia-rtx-pro-6000",
)  # fmt: skip
_TRUE = frozenset({"true", "yes", "y", "1", "on", "present", "enabled"})


def meant(label: object, value: str, policy: Policy) -> str | None:
    """Return the value that was probably meant; None where it is right, or unclear."""
    if label in _BOOLEANS:
        return None if value in {"true", "false"} or value.lower() not in {*_TRUE, "false"} else _boolean(value)
    if label == _PRODUCT:
        return _product(value, policy)
    if label in _KARPENTER:
        plain = "-".join(value.lower().split())
        return plain if plain != value else None
    values = _ACCELERATORS if label == _GKE else _VALUES.get(as_str(label), ())
    return _near(value, values)


def _product(value: str, policy: Policy) -> str | None:
    products = {as_str(card.get("product")) for card in policy.cards} - {""}
    if value in products:
        return None
    dashed = "-".join(value.split())  # as gpu-feature-discovery writes the product's name
    head, shared, _ = dashed.partition(_SHARED)
    head, mig, profile = head.partition("-MIG-")
    word = head.lower()
    right = _BY_PRODUCT.get(word) or _BY_PRODUCT.get(f"{word}b", head)
    found = f"{right}{mig}{profile}{shared}"
    return found if found != value else _near(value, tuple(products))


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
    """Exclude other cards: ``nvidia-l40`` is not a typo of ``nvidia-l4``."""
    return [valid for valid in known if _digits(valid) == _digits(word)]


def _digits(word: str) -> list[str]:
    return [letter for letter in word if letter.isdigit()]
