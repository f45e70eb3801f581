"""Annotations by which KAI requests shares of cards."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# NVIDIA/KAI-Scheduler: pkg/common/constants; a share of a card is requested by annotation
REQUEST_ANNOTATIONS = ("gpu-fraction", "gpu-memory")
# kai-scheduler/KAI-Scheduler: pkg/common/resources/gpu_sharing_validation.go; options of a share, rejected without
# one
SHARE_ANNOTATIONS = ("gpu-fraction-num-devices", "gpu-memory.limit", "gpu-fraction.limit")
PORTION_PREFIX = "kai.scheduler/container."  # followed by the container's name and:
PORTION_LIMIT = ".gpu-memory.portion.limit"  # KAI's webhook rewrites gpu-fraction.limit to it
CONTAINER_ANNOTATION = "gpu-fraction-container-name"  # the container that the share is for
# kai-scheduler/KAI-Scheduler: pkg/binder/common/gpusharingconfigmap: prefix of the names of the pod's ConfigMaps
SHARE_CONFIG_MAP = "runai/shared-gpu-configmap"
# kai-scheduler/KAI-Scheduler: pkg/common/constants, pkg/common/resources/gpu_sharing_nvfractions.go; from release 0.18
# on by an annotation whose key names the container: nvidia.com/container.<name>.<word>
CONTAINER_PREFIX = "nvidia.com/container."
CONTAINER_AMOUNTS = ("gpu-memory.request", "gpu-memory.limit")
_ABOUT_SHARES = frozenset((*REQUEST_ANNOTATIONS, *SHARE_ANNOTATIONS))
_PREFIXES = (CONTAINER_PREFIX, PORTION_PREFIX)


def may_request_share(annotations: Mapping[Any, Any]) -> bool:
    """Return whether any annotation may request a share of a card; keys in files may be other values than strings."""
    if not annotations.keys().isdisjoint(_ABOUT_SHARES):
        return True
    return any([isinstance(key, str) and key.startswith(_PREFIXES) for key in annotations])


def for_container(key: object) -> tuple[str, str | None]:
    """Return the container that an annotation's key names, and KAI's suffix for the setting; None for other keys.

    Container names have no dots.
    """
    if not isinstance(key, str) or not key.startswith(CONTAINER_PREFIX):
        return "", None
    name, _, word = key[len(CONTAINER_PREFIX) :].partition(".")
    return name, word
