"""The checks on annotations and labels that container runtimes, schedulers and device plugins trust."""

from __future__ import annotations

from gpu_admission.registration import patterns
from gpu_admission.registration.cel_literals import any_of, group, pattern, text, texts
from gpu_admission.rules import device_count, gpu_markers
from gpu_admission.rules.isolation import nri_devices, trusted_keys

from .check import NOWHERE, Check, pair
from .requested import ANNOTATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy

_FIELDS = {"annotations": ANNOTATIONS, "labels": "object.metadata.?labels.orValue({})"}
_GAP = r"[\s\x22\x27{}\[\],:]"  # separators: spaces and punctuation
_LONGEST = 4096  # characters; a longer list of device nodes is not parsed
_DEVICES = (*gpu_markers.NRI_DEVICE_DOMAINS, *gpu_markers.CRIO_DEVICES)


def devices(policy: Policy) -> Iterator[Check]:
    """GPU306: annotations that make a container runtime inject devices.

    Lists of device nodes are harmless only if they have a plain form and do not name the folder of a card, unless the
    pod requests all cards of a node.
    """
    domain = "k.split('/')[0]"
    cdi = gpu_markers.CDI_DOMAIN
    of_cdi = f"k.contains('/') && ({domain} == {text(cdi)} || {domain}.endsWith({text('.' + cdi)}))"
    by_cdi = f"{of_cdi} || {domain} in {texts(gpu_markers.NRI_CDI_DOMAINS)}"
    by_path = f"{domain} in {texts(_DEVICES)} && !({_takes_all(policy)}) && !({_harmless(f'{ANNOTATIONS}[k]')})"
    found = f"{ANNOTATIONS}.filter(k, {by_cdi} || {by_path}).map(k, {pair(NOWHERE, 'k')})"
    yield Check(
        "GPU306",
        found,
        "the annotation {what} makes the container runtime inject devices that were not requested; remove the "
        "annotation and request devices under resources.limits, or by a resource claim",
    )


def _harmless(value: str) -> str:
    """Return the condition that a list of device nodes has a plain form and no node of a card.

    Plain is defined by ``rules.isolation.nri_devices``; variants of paths that it normalises are not plain.
    """
    stems = sorted({_stem(path) for path in gpu_markers.DEVICE_PATHS if path.startswith("/dev/")})
    odd = ("/dev/vfio", "..", "//", "/./")
    named = any_of(f"{value}.contains({text(each)})" for each in (*stems, *odd))
    keys = "|".join(sorted(nri_devices.KEYS - {"major"}))
    major = f"major{_GAP}+({nri_devices.NUMBER})"
    word = rf"-|[a-z]{{1,3}}|0o?[0-7]+|[0-9]+|[\w./-]*/[\w./-]*|{keys}|{major}"
    plain = f"{value}.matches({pattern(f'^{_GAP}*(({word})({_GAP}+|$))*$')})"
    cards = "|".join(sorted(nri_devices.MAJORS))
    by_number = f"{value}.matches({pattern(f'major{_GAP}+({cards})({_GAP}|$)')})"
    return f"{value} == '' || {value}.size() <= {_LONGEST} && {plain} && !({named}) && !{by_number}"


def _stem(path: str) -> str:
    return "/dev/" + path.removeprefix("/dev/").rstrip("*").partition("/")[0]


def _takes_all(policy: Policy) -> str:
    """Return the condition that the pod requests every card of a node (``nri_devices.takes_all``)."""
    node = device_count.largest_node(policy) or nri_devices.WHOLE_NODE
    amount = "quantity(c.resources.requests['nvidia.com/gpu'])"
    asking = "has(c.resources) && has(c.resources.requests) && 'nvidia.com/gpu' in c.resources.requests"
    counted = f"variables.all.filter(c, {asking} && {amount}.isInteger()).map(c, {amount}.asInteger()).sum()"
    return f"{counted} >= {node}"


def spoofed(_policy: Policy) -> Iterator[Check]:
    """GPU307 on new pods: keys that only schedulers write, and those that opt out of a backend's webhook."""
    lists = []
    for field, owners in trusted_keys.FIELDS:
        lists.append(f"{_FIELDS[field]}.filter(k, {group(patterns.keys('k', owners))})")
    for field, ways in trusted_keys.OPT_OUT:
        tests = [f"(k == {text(key)} && {_FIELDS[field]}[k] == {text(value)})" for key, value, _ in ways]
        if tests:
            lists.append(f"{_FIELDS[field]}.filter(k, {any_of(tests)})")
    yield Check(
        "GPU307",
        f"({' + '.join(lists)}).map(k, {pair(NOWHERE, 'k')})",
        "the annotation or label {what} is written by a GPU scheduler or opts out of its webhook, and is believed "
        "whoever wrote it; remove it: the scheduler sets what it needs by itself",
    )
