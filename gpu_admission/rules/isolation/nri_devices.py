"""Cards that annotations make a plugin of the container runtime inject (NRI, the Node Resource Interface)."""

from __future__ import annotations

import re
from itertools import pairwise

from gpu_admission.core.raw import as_str
from gpu_admission.rules import device_count, gpu_markers, host_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod

_NVIDIA = "/dev/nvidia"
# Fixed majors of card nodes, under any path (Documentation/admin-guide/devices.txt):
# the NVIDIA driver's, render devices, accelerators.
MAJORS = frozenset({"195", "226", "261"})
WHOLE_NODE = 8  # cards per node, where the policy does not define them
_PUNCTUATION = str.maketrans(dict.fromkeys("\"'{}[],:", " "))
KEYS = frozenset({"path", "type", "major", "minor", "file_mode", "fileMode", "uid", "gid"})
# Characters of plain values. YAML can write a path or a number in many other ways, which only an attack needs.
_PLAIN = re.compile(r"-|[a-z]{1,3}|0o?[0-7]+|[0-9]+|[\w./-]*/[\w./-]*", re.ASCII)
NUMBER = "0|[1-9][0-9]*"  # a plain major
_DISGUISED = "a node of the driver under another name"
_UNREADABLE = "what cannot be read, and may be any"


def brings_cdi(key: str) -> bool:
    """Return whether a key injects CDI devices into the container: of CDI itself, or of the NRI plugin for them."""
    domain, slash, _ = key.partition("/")
    of_cdi = slash and (domain == gpu_markers.CDI_DOMAIN or domain.endswith(f".{gpu_markers.CDI_DOMAIN}"))
    return bool(of_cdi) or domain in gpu_markers.NRI_CDI_DOMAINS


def cards(key: str, value: object) -> list[str]:
    """Return the device nodes of cards that an annotation makes a runtime inject, as far as it can be read.

    For the NRI plugin the value is a YAML list of devices (``path``, ``type``, ``major``, ``minor``), which need only a
    path; for CRI-O it is ``path:path:permissions,...``. An entry that is not written plainly counts as a card.
    """
    if key.partition("/")[0] not in {*gpu_markers.NRI_DEVICE_DOMAINS, *gpu_markers.CRIO_DEVICES}:
        return []
    words = as_str(value).translate(_PUNCTUATION).split()
    paths = [host_paths.normal(word) for word in words if "/" in word]
    found = {path for path in paths if _is_card(path)}
    majors = [number for word, number in pairwise(words) if word == "major"]
    if not MAJORS.isdisjoint(majors) and not all(path.startswith(_NVIDIA) or path in found for path in paths):
        found.add(_DISGUISED)
    if not all(word in KEYS or _PLAIN.fullmatch(word) for word in words) or any(map(_is_odd, majors)):
        found.add(_UNREADABLE)
    return sorted(found)


def _is_odd(major: str) -> bool:
    return re.fullmatch(NUMBER, major) is None


def takes_all(pod: Pod, shown: list[str], policy: Policy) -> bool:
    """Return whether a pod requests every card of a node, so that it sees only its own."""
    asked = sum(device_count.count(gpu) for gpu in pod.gpus if gpu.name == "nvidia.com/gpu")
    node = device_count.largest_node(policy) or WHOLE_NODE
    return node <= asked and all(path.startswith(_NVIDIA) for path in shown) and len(shown) <= asked


def _is_card(path: str) -> bool:
    """Return whether a device node is a card's, and not one that all containers with a GPU have (nvidiactl)."""
    if path.startswith(_NVIDIA):
        return path.removeprefix(_NVIDIA).isdigit()
    if path.startswith("/dev/vfio/"):  # cards that are passed through to virtual machines
        return path != "/dev/vfio/vfio"
    return path.startswith("/dev/") and host_paths.within(path, gpu_markers.DEVICE_PATHS) is not None
