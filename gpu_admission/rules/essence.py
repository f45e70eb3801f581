"""The essence of a Pod: what any rule reads of it. Two Pods that agree in it are judged alike.

Pods come in crowds: a controller's replicas are one pod many times over, and the jobs of a day differ in what they
run, not in how they ask for GPUs. What tells them apart is taken out here, so that a verdict can be found again.

Nothing moves: lists keep their length and mappings their keys wherever a rule may point or write, so the operations
that mend the essence mend the Pod. A new rule that reads what is left out finds nothing at admission, which the
tests notice: every rule's own examples are judged both ways.
"""

from __future__ import annotations

from gpu_admission.backends import kai_words
from gpu_admission.core import resources
from gpu_admission.core.shape import text

from . import markers, occasions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_WHOSE = frozenset(
    {
        "creationTimestamp",
        "generateName",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
# Whose labels and annotations can say something of GPUs: all others are the business of other people.
_DOMAINS = resources.known_domains() | {
    key.partition("/")[0]
    for key in (
        *(*markers.ANNOTATION_KEYS, *markers.ANNOTATION_PREFIXES, markers.KAI_CONFIG_MAP),
        *(*markers.LABEL_KEYS, *markers.LABEL_PREFIXES, kai_words.QUEUE, kai_words.PORTION_PREFIX),
    )
}
_IDENTITY = frozenset({"hostname", "imagePullSecrets", "serviceAccount", "serviceAccountName", "subdomain"})
_PROGRAM = frozenset(
    {
        "args",
        "command",
        "image",
        "imagePullPolicy",
        "lifecycle",
        "livenessProbe",
        "ports",
        "readinessProbe",
        "startupProbe",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "workingDir",
    }
)
_BLANK: Mapping[str, Any] = {}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def of(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the essence of a raw Pod: a Pod again, which shares with the given one whatever it keeps whole.

    What is not shaped as a Pod should be is kept as it is.
    """
    slim = dict(pod)
    if isinstance(metadata := pod.get("metadata"), dict):
        slim["metadata"] = _metadata(metadata)
    if isinstance(spec := pod.get("spec"), dict):
        slim["spec"] = _spec(spec)
    return slim


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    slim = {key: value for key, value in metadata.items() if key not in _WHOSE}
    labels, annotations = slim.get("labels"), slim.get("annotations")
    if isinstance(labels, dict):  # by most without a domain, people and controllers find their pods
        slim["labels"] = {
            key: value if key.partition("/")[0] in _DOMAINS or occasions.may_be_mark(key) else ""
            for key, value in labels.items()
        }
    if isinstance(annotations, dict):  # KAI has some without a domain
        slim["annotations"] = {
            key: value if key.partition("/")[0] in _DOMAINS or "/" not in key or markers.CDI_DOMAIN in key else ""
            for key, value in annotations.items()
        }
    owners = slim.get("ownerReferences")
    if isinstance(owners, list):
        slim["ownerReferences"] = [{"kind": each.get("kind")} if isinstance(each, dict) else each for each in owners]
    return slim


def _spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    slim = {key: value for key, value in spec.items() if key not in _IDENTITY}
    volumes = slim.get("volumes")
    containers = [each for key in _CONTAINERS if isinstance(items := slim.get(key), list) for each in items]
    mounts = _mounts_matter(volumes, containers)
    if isinstance(volumes, list) and not mounts:
        slim["volumes"] = [_BLANK if isinstance(each, dict) and "hostPath" not in each else each for each in volumes]
    for key in _CONTAINERS:
        items = slim.get(key)
        if isinstance(items, list):
            slim[key] = [_container(each, mounts=mounts) if isinstance(each, dict) else each for each in items]
    return slim


def _mounts_matter(volumes: Any, containers: list[Any]) -> bool:
    """Tell whether rules may look at where volumes are mounted: at a device list, or at parts of the node's paths."""
    host = isinstance(volumes, list) and any([isinstance(each, dict) and "hostPath" in each for each in volumes])
    return host or any([isinstance(each, dict) and occasions.mounts_device_list(each) for each in containers])


def _container(container: Mapping[str, Any], *, mounts: bool) -> dict[str, Any]:
    slim = {key: value for key, value in container.items() if key not in _PROGRAM}
    if container.get("image"):
        slim["image"] = "-"  # a container without one is a fragment
    env = container.get("env")
    if isinstance(env, list) and not mounts and not container.get("envFrom"):
        slim["env"] = _variables(env)
    if "volumeMounts" in container and not mounts:
        del slim["volumeMounts"]
    return slim


def _variables(env: list[Any]) -> list[Any]:
    """Return variables with nothing left of those that have to do neither with GPUs nor with variables that do."""
    try:
        if not occasions.names_gpu_variable([each["name"] for each in env]):
            return [_BLANK] * len(env)
        kept = [each if occasions.is_gpu_variable(each["name"]) else _BLANK for each in env]
    except (AttributeError, KeyError, TypeError):  # no variables as they should be
        return env
    return env if any(["$" in text(each.get("value")) for each in kept]) else kept
