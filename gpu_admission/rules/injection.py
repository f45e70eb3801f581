"""Cards that annotations make a plugin of the container runtime inject (NRI, the Node Resource Interface)."""

from __future__ import annotations

from itertools import pairwise

from gpu_admission.core.shape import text

from . import counting, hostpaths, markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Pod

_NVIDIA = "/dev/nvidia"
_MAJOR = (
    "195"  # of the NVIDIA driver's card nodes, whatever path they are given (Documentation/admin-guide/devices.txt)
)
_WHOLE_NODE = 8  # cards of the nodes that these annotations are written for, where the policy does not tell
_PUNCTUATION = str.maketrans(dict.fromkeys("\"'{}[],:", " "))


def brings_cdi(key: str) -> bool:
    """Tell whether a key hands CDI devices to the container: of CDI itself, or of the NRI plugin for them."""
    domain, slash, _ = key.partition("/")
    of_cdi = slash and (domain == markers.CDI_DOMAIN or domain.endswith(f".{markers.CDI_DOMAIN}"))
    return bool(of_cdi) or domain in markers.NRI_CDI_DOMAINS


def cards(key: str, value: object) -> list[str]:
    """Return the device nodes of cards that an annotation makes the NRI plugin inject, as far as it can be read.

    The value is a YAML list of devices (``path``, ``type``, ``major``, ``minor``), which need no more than a path.
    """
    if key.partition("/")[0] not in markers.NRI_DEVICE_DOMAINS:
        return []
    words = text(value).translate(_PUNCTUATION).split()
    found = {path for word in words if word.startswith("/") and _is_card(path := hostpaths.normal(word))}
    nodes = sum(word.startswith(_NVIDIA) for word in words)
    disguised = sum(pair == ("major", _MAJOR) for pair in pairwise(words)) > nodes
    return sorted(found) + (["a node of the NVIDIA driver under another name"] if disguised else [])


def takes_all(pod: Pod, shown: list[str], policy: Policy) -> bool:
    """Tell whether a pod asks for every card of a node, and so is shown none that it did not ask for."""
    asked = sum(counting.count(gpu) for gpu in pod.gpus if gpu.name == "nvidia.com/gpu")
    node = counting.largest_node(policy) or _WHOLE_NODE
    return node <= asked and all(path.startswith(_NVIDIA) for path in shown) and len(shown) <= asked


def _is_card(path: str) -> bool:
    """Tell whether a device node is a card's, and not one that all containers with a GPU have (nvidiactl)."""
    if path.startswith(_NVIDIA):
        return path.removeprefix(_NVIDIA).isdigit()
    return path.startswith("/dev/") and hostpaths.within(path, markers.DEVICE_PATHS) is not None
