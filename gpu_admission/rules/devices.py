"""Lists of cards in variables: which values show a container cards, and which show it none."""

from __future__ import annotations

from gpu_admission.core.shape import mapping, text

from . import environment, markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.container import Container
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Pod

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


def may_show(pod: Pod, variable: Variable, policy: Policy) -> bool:
    """Tell whether a device list can show cards: by its value, or because nobody can tell its value.

    What the policy itself wants there (``visibleDevices``) is the administrator's affair.
    """
    container = variable.container
    if variable.value is None:
        return not (_is_kais(pod, variable) or _is_schedulers(variable))
    if variable.name == NVIDIA and variable.value == wanted(policy, asks=pod.serves(container)):
        return False
    return not shows_none(variable.value)


def wanted(policy: Policy, *, asks: bool) -> str | None:
    """Return the value that the policy wants on a container that asks for a GPU, or on one that does not."""
    value = text(policy.visible_devices.get("served" if asks else "gpuLess"))
    return None if value in {"", "leave"} else value


def _is_kais(pod: Pod, variable: Variable) -> bool:
    """Tell whether the value comes from the ConfigMap that KAI's binder fills in once it has chosen a card.

    Source: NVIDIA/KAI-Scheduler pkg/binder/common/gpusharingconfigmap (older ones leave the index out).
    """
    prefix = text(mapping(pod.metadata.get("annotations")).get(markers.KAI_CONFIG_MAP))
    if not prefix or variable.container is not pod.shares:
        return False
    return variable.config_map in {prefix, f"{prefix}-{variable.container.pointer[-1]}"}


def _is_schedulers(variable: Variable) -> bool:
    """Tell whether the value is an annotation that the backend's own scheduler writes (users may not: GPU307)."""
    start, _, rest = variable.field_path.partition("['")
    key, _, _ = rest.partition("']")
    return start == "metadata.annotations" and markers.TRUSTED_ANNOTATIONS.of(key) is not None


def is_on(variable: Variable) -> bool:
    """Tell whether one of the toolkit's switches is on, as the toolkit reads its value."""
    value = variable.value
    if value is None:
        return True
    if variable.name in markers.FEATURES:
        return value == "enabled"
    return value in _ON if variable.name == "NVIDIA_DISABLE_REQUIRE" else bool(value.strip())
