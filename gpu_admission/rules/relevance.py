r"""Whether a file can matter to the enabled rules, by its bytes: most files need not be parsed.

What the rules read is derived from the names of resources and from what each rule declares (``Rule.reads``). It is
looked for in three ways: as a part of the text, as a word of it (letters and digits between anything else), and as
words that only matter together. All of them are compared in lower case.

Texts that could hide letters always may matter: escapes of double-quoted scalars and of JSON strings
(``\x67pu``, ``\u0067pu``, a quoted line that ends in a backslash), NUL bytes (UTF-16), and the two letters beyond
ASCII whose lower case is an ASCII letter. Nothing else in YAML or JSON can: folded lines are joined by a space, a
doubled quote stays one, tags do not change the text, and aliases repeat it.

Misspelt names without any part of a known one are not found: ``n-v-i-d-i-a.com/g-p-u``.
"""

from __future__ import annotations

import re

from gpu_admission.backends import known
from gpu_admission.workloads import resources

from . import visible_devices
from .stems import STEMS
from .tolerations import TAINT_KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpu_admission.engine.reads import Reads
    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

# Second-level domains that are common in manifests: the whole domain is searched for.
_COMMON_DOMAINS = frozenset({"google", "amazon", "amazonaws", "kubernetes"})
# Words of resource names that are not specific to accelerators.
_GENERIC = frozenset(
    {
        *("core", "cores", "count", "cpu", "device", "devices", "max", "mem", "memory", "number", "percentage"),
        *("priority", "shared"),  # every pod in a cluster has a priority
    }
)
_PARTITION = resources.MIG_WORD  # names like mig-1g.5gb
_PARTITIONS = frozenset([_PARTITION, *(f"{_PARTITION}{slices}g" for slices in range(1, 10))])
# Fields whose values need not name a GPU, by what a rule declares.
_HOST_PATH = frozenset({"hostpath"})
_ENV_FROM = frozenset({"envfrom"})
_PREFIXED = frozenset({"envfrom", "prefix"})
_PRIVILEGED = frozenset({"privileged"})
_CAPABILITIES = frozenset({"capabilities"})
# Rules that judge pods without a GPU and declare no markers: the words that they read besides names of resources.
UNDECLARED: dict[str, tuple[frozenset[str], ...]] = {
    "GPU011": (),  # keys around names of resources
    "GPU110": (),  # typos of KAI's annotations are judged only with "gpu" in them (STEMS)
    "GPU205": tuple(frozenset({scheduler.partition("-")[0]}) for scheduler in sorted(known.SCHEDULERS)),
    "GPU302": (),  # with everyPod it reads every pod: see below
    "GPU507": (_PRIVILEGED, _CAPABILITIES, _HOST_PATH),
}
# A claim names a class of devices, and a pod the claim; neither name need contain one of the other words.
_CLAIMS = frozenset({"claims", "resourceclaims", "resourceclaim", "resourceclaimtemplate", "deviceclass"})

_WORD_BREAKS = bytes(byte if chr(byte).isalnum() and byte < 128 else 32 for byte in range(256))
_ESCAPE = rb"\\(?:[xuU/\r\n]|\xc2\x85|\xe2\x80[\xa8\xa9])"  # compiled where a backslash is met
_KELVIN, _DOTTED_I = "\u212a".encode(), "\u0130".encode()  # k and i, in lower case
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SLICE, _LONGEST_WORD = 1 << 18, 512


class Relevance:
    """What the enabled rules of a policy read of files.

    ``parts`` are texts anywhere in a file, ``words`` whole words of it, ``groups`` words that must all occur.
    ``everything`` means that some rule reads every pod.
    """

    __slots__ = ("_encoded_parts", "_encoded_words", "everything", "groups", "parts", "words")

    def __init__(self, rules: Iterable[Rule], policy: Policy) -> None:
        is_enabled = [rule for rule in rules if policy.is_enabled(rule)]
        self.everything = visible_devices.every_pod(policy)
        self.parts: set[str] = set()
        self.words: set[str] = {*_CLAIMS, *_PARTITIONS}
        self.groups: set[frozenset[str]] = set()
        for name in (*resources.known_names(), *policy.own_resources, *_taints(policy)):
            self._add_name(name.lower())
        for group in [group for rule in is_enabled for group in UNDECLARED.get(rule.id, ())]:
            self._add_group(group)
        for rule in is_enabled:
            self._add_reads(rule.reads(policy) if callable(rule.reads) else rule.reads)
        for chosen in (policy.scheduler_name, policy.runtime_class):
            if chosen:
                self._add_text(chosen.lower())
        self.groups = {group for group in self.groups if self.words.isdisjoint(group)}
        self._encoded_parts = tuple([part.encode() for part in (*STEMS, *sorted(self.parts))])
        self._encoded_words = frozenset([word.encode() for word in self.words])

    def may_matter(self, data: bytes) -> bool:
        """Return whether any enabled rule could have a finding in a file, in time linear in its length."""
        if self.everything or _may_hide(data):
            return True
        lower = data.lower()
        if any([part in lower for part in self._encoded_parts]):
            return True
        if len(lower) <= _SLICE:
            return self._has_words(set(lower.translate(_WORD_BREAKS).split()))
        found: set[bytes] = set()
        for start in range(0, len(lower), _SLICE):  # in slices: the words of a large file take ten times its memory
            words = set(lower[start : start + _SLICE + _LONGEST_WORD].translate(_WORD_BREAKS).split())
            found |= {word for group in self.groups for name in group if (word := name.encode()) in words}
            if not self._encoded_words.isdisjoint(words):
                return True
        return self._has_words(found)

    def _has_words(self, words: set[bytes]) -> bool:
        if not self._encoded_words.isdisjoint(words):
            return True
        return any([all([word.encode() in words for word in group]) for group in self.groups])

    def _add_name(self, name: str) -> None:
        """Add a resource's name: a misspelt one has the right domain or rest, or both except for case and dots."""
        domain, _, rest = name.rpartition("/")
        labels = domain.split(".")
        owner = labels[-2] if len(labels) > 1 else domain
        if owner in _COMMON_DOMAINS:
            self.parts.add(f"{domain}/")
            if name.startswith(resources.CLASS_PREFIX):
                return  # what follows is a class's name, a domain again
        elif owner and not _is_covered(owner):
            self.words |= set(_split(owner)) - _GENERIC
        if _is_covered(rest):
            return
        squashed = "".join(_split(rest.replace("memory", "mem"))).removesuffix("s")
        own = [word for word in _split(rest) if word not in _GENERIC]
        own = [
            word for word in own if not word[0].isdigit()
        ] or own  # 1Gi is an amount; where the rest is right, all are
        self.words |= {*own, squashed, f"{squashed}s"} - {"", *_GENERIC}
        if not own:
            self.parts.add(f"/{rest}")

    def _add_reads(self, reads: Reads) -> None:
        variables = {*reads.variables, *reads.completed, *reads.unprefixed}
        for text in (*variables, *reads.annotations, *reads.labels, *reads.label_values, *reads.runtime_classes):
            self._add_text(text.lower())
        for key in (*reads.tolerations, *reads.near_tolerations):
            self._add_name(key.lower())
        fields = (
            (reads.host_paths or reads.host_parents or reads.sub_paths or reads.mounts, _HOST_PATH),
            (reads.completed, _PREFIXED),
            (reads.unprefixed, _ENV_FROM),
            (reads.privileged, _PRIVILEGED),
            (reads.capabilities, _CAPABILITIES),
        )
        for read, group in fields:
            if read:
                self._add_group(group)

    def _add_group(self, group: frozenset[str]) -> None:
        if len(group) == 1:
            self.words |= group
        else:
            self.groups.add(group)

    def _add_text(self, pattern: str) -> None:
        """Add a text in which ``*`` matches any other: its longest part, unless an existing one covers it."""
        part = max(pattern.split("*"), key=len)
        if _is_covered(part) or any(known_part in part for known_part in self.parts):
            return
        whole = _split(part)[:-1] if pattern.endswith("*") and part[-1:].isalnum() else _split(part)
        if self.words.isdisjoint(whole[1:] if not pattern.startswith(part) else whole):
            self.parts.add(part)


def _taints(policy: Policy) -> Iterator[str]:
    yield from TAINT_KEYS
    for entry in policy.tolerations:
        if entry.get("key"):
            yield str(entry["key"])


def _is_covered(text: str) -> bool:
    return any(stem in text for stem in STEMS)


def _split(text: str) -> list[str]:
    return text.encode().translate(_WORD_BREAKS).decode().split()


def _may_hide(data: bytes) -> bool:
    """Return whether a file may contain escaped letters."""
    if b"\\" in data and re.search(_ESCAPE, data):
        return True
    return b"\0" in data or data.startswith(_UTF16) or (not data.isascii() and (_KELVIN in data or _DOTTED_I in data))
