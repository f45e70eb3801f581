"""Lists of cards in variables: which values show a container cards, and which show it none."""

from __future__ import annotations

from . import environment, markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.workload import Container

    from .environment import Variable

NVIDIA = "NVIDIA_VISIBLE_DEVICES"
_ON = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # what Go's strconv.ParseBool takes for true


def shows_none(value: str) -> bool:
    """Tell whether a device list names no card: empty, ``none`` throughout, or with ``void`` anywhere in it.

    Source: NVIDIA/nvidia-container-toolkit internal/config/image (``DevicesFromEnvvars``); other vendors'
    runtimes know no such word and take what is no card for none.
    """
    words = {word.strip() for word in value.split(",")} - {""}
    return not words or "void" in words or words == {"none"}


def blinded(container: Container) -> bool:
    """Tell whether a container says itself that NVIDIA's runtime shall show it no card."""
    found = environment.variables(container, (NVIDIA,))
    return bool(found) and found[0].value is not None and shows_none(found[0].value)


def may_show(variable: Variable, scheduler_map: str = "") -> bool:
    """Tell whether a device list can show cards: by its value, or because nobody can tell its value.

    ``scheduler_map`` begins the names of ConfigMaps that the pod's scheduler fills in when it has chosen a card.
    """
    if variable.value is not None:
        return not shows_none(variable.value)
    if scheduler_map and variable.config_map.startswith(scheduler_map):
        return False
    return not _is_schedulers(variable)


def is_on(variable: Variable) -> bool:
    """Tell whether one of the toolkit's switches is on, as the toolkit reads its value."""
    value = variable.value
    if value is None:
        return True
    if variable.name in markers.FEATURES:
        return value == "enabled"
    return value in _ON if variable.name == "NVIDIA_DISABLE_REQUIRE" else bool(value.strip())


def _is_schedulers(variable: Variable) -> bool:
    """Tell whether the value is an annotation that the backend's own scheduler writes (users may not: GPU307)."""
    start, _, rest = variable.field_path.partition("['")
    key, _, _ = rest.partition("']")
    return start == "metadata.annotations" and markers.listed(markers.TRUSTED_ANNOTATIONS, key) is not None
