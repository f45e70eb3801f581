"""Values of the annotations that control how HAMi places pods.

Sources: Project-HAMi/HAMi pkg/util/types.go (policies of its scheduler), pkg/device/nvidia/device.go (AllocateMode),
pkg/device/ascend/device.go (VNPUModeAnnotation), pkg/device/metax/protocol.go and sdevice.go.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, format_value, is_placeholder
from gpu_admission.core.typos import nearest

from .portable import listed
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Severity
    from gpu_admission.workloads.pod import Pod

    from .base import ContainerRequest

_IGNORED = "HAMi takes its default instead"
# annotation -> its values, whether several separated by commas are allowed, what HAMi does with any other
VALUES: dict[str, tuple[tuple[str, ...], bool, str, Severity]] = {
    "hami.io/node-scheduler-policy": (("binpack", "spread"), False, _IGNORED, "warning"),
    "hami.io/gpu-scheduler-policy": (
        ("binpack", "spread", "topology-aware", "mutex", "numa"),
        True,
        _IGNORED,
        "warning",
    ),
    "nvidia.com/vgpu-mode": (("hami-core", "mig", "mps"), True, "no card is in that mode, and the pod waits", "error"),
    "metax-tech.com/sgpu-qos-policy": (
        ("best-effort", "fixed-share", "burst-share"),
        False,
        "HAMi's webhook refuses the pod",
        "error",
    ),
    "metax-tech.com/sgpu-app-class": (("online", "offline"), False, "HAMi's webhook refuses the pod", "error"),
    "huawei.com/vnpu-mode": (("hami-core",), False, "HAMi cuts the card by its templates instead", "warning"),
}


def refused(pod: Pod, asked: list[ContainerRequest]) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
    """Yield each annotation whose value HAMi does not recognise."""
    annotations = as_dict(pod.metadata.get("annotations"))
    for key, (values, several, then, severity) in VALUES.items():
        value = annotations.get(key)
        if value is None or value == "" or is_placeholder(value):
            continue
        parts = value.split(",") if several and isinstance(value, str) else [value]
        wrong = next((each for each in parts if not isinstance(each, str) or each.strip() not in values), None)
        if wrong is None:
            continue
        near = nearest(wrong.strip().lower(), values, 3) if isinstance(wrong, str) else None
        write = f"{key}: {near}" if near else f"one of {listed(list(values))}"
        reason = f"and the annotation {key}: {format_value(value)} is not one that HAMi recognises: {then}"
        yield asked[0], RejectedRequestError(UNTRANSLATABLE, reason, f"write {write}", severity=severity, about=key)
