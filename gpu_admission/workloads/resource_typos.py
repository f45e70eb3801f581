"""Suggestions for unknown resource names that look like those of GPUs."""

from __future__ import annotations

import re
from functools import cache

from gpu_admission.core.typos import nearest

from . import resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WHOLE_GPU = "nvidia.com/gpu"

_LONGEST = 100
# The name that Kubernetes 1.11 removed, and others (one is a node label) that mean whole cards.
REMOVED = "alpha.kubernetes.io/nvidia-gpu"
_ALIASES = frozenset({"gpu", "nvidia", "nvidiacom", "nvidiacomgpucount", "nvidiagpucount"})  # squashed
_WORDS = re.compile(r"gpu|nvidia|cuda")
QUOTA_PREFIXES = ("requests.", "limits.")
# Wrong prefixes of a quota's resource; count/ is for API objects
QUOTA_SLIPS = ("request.", "limit.", "Requests.", "Limits.", "count/")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"\d+")

_MIG = re.compile(r"^(?:nvidia(?:\.com)?[/.])?mig[\W_]?(\d+)g[\W_]?(\d+)g(?:b|ib?)?(.*)$", re.DOTALL)
LIKE_MIG = r"(nvidia(\.com)?[/.])?mig[^a-z0-9]?[0-9]+g[^a-z0-9]?[0-9]+g"  # the beginning of such names, for RE2
LONGEST_SHORT_REST, LONGEST_SHORT_DOMAIN = 5, 7  # up to this many letters one typo is assumed, beyond it two
_MIG_SUFFIXES = {"+me": ".me", "_me": ".me", "+gfx": ".gfx", "-gfx": ".gfx", "-shared": ".shared"}
# Every MIG profile that a card or driver is known to offer, by compute slices: from the MIG user guide's list of
# supported profiles, and for cards whose profiles vary by driver (GB200, B300, GB300, RTX PRO 6000) from the
# configurations of NVIDIA/mig-parted and gpu-operator. Thor's have no memory of their own: it shares its node's.
_PROFILES: dict[int, tuple[int, ...]] = {
    1: (0, 5, 6, 10, 12, 16, 18, 20, 23, 24, 34, 35, 36, 45, 47, 67, 70),
    2: (0, 10, 12, 20, 24, 32, 35, 36, 45, 47, 48, 67, 70),
    3: (0, 20, 40, 47, 48, 71, 72, 90, 93, 95, 135, 139),
    4: (20, 24, 40, 47, 48, 71, 72, 90, 93, 95, 96, 135, 139),
    7: (40, 79, 80, 94, 96, 141, 144, 180, 186, 189, 269, 278),
}


def squashed(name: str) -> str:
    """Return a name normalised for common mistakes: case, separators, a plural, ``memory`` for ``mem``."""
    return _SEPARATORS.sub("", name.lower()).replace("memory", "mem").removesuffix("s")


@cache  # start-up time: 2 ms, needed only for unknown names
def _by_squashed_name() -> dict[str, str]:
    """Return squashed name -> name: ``nvidiacomgpu``, ``nvidiagpu`` and (without a domain) ``gpumem``."""
    index: dict[str, str] = {}
    names = tuple(resources.known_names())
    portable = (resources.PORTABLE_MEMORY, resources.PORTABLE_COUNT, resources.PORTABLE_CORES)
    for name in names:
        index.setdefault(squashed(name), name)
        domain, _, rest = name.partition("/")
        index.setdefault(squashed(domain.split(".")[-2] + rest), name)
    for name in (*portable, *names):
        index.setdefault(squashed(name.partition("/")[2]), name)
    return index


@cache
def _by_system() -> dict[tuple[str, str], str]:
    """Return (backend, squashed name without its domain) -> name."""
    index: dict[tuple[str, str], str] = {}
    for name in resources.known_names():  # for a name of several vendors the first, NVIDIA, is taken
        resource = resources.classify(name)
        if resource is not None:
            index.setdefault((resource.system, squashed(name.partition("/")[2])), name)
    return index


def squashed_names(extra: Iterable[str] = ()) -> frozenset[str]:
    """Return every squashed form of a known name that is also one if the name has a domain."""
    return frozenset([*_by_squashed_name(), *map(squashed, extra), *_ALIASES])


@cache
def _halves() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    by_domain: dict[str, list[str]] = {}
    by_rest: dict[str, list[str]] = {}
    for name in resources.known_names():
        domain, _, rest = name.partition("/")
        by_domain.setdefault(domain, []).append(rest)
        by_rest.setdefault(rest, []).append(domain)
    return by_domain, by_rest


def meant(name: str, extra: Iterable[str] = (), system: str = "") -> str | None:
    """Return the known resource name that an unknown one was probably meant to be, or None.

    ``extra`` are the names that only the policy declares, ``system`` the sharing backend in use, whose names come first
    where a name without a domain is ambiguous. It takes constant time: only names of which one half is right are
    compared.
    """
    if len(name) > _LONGEST:
        return None
    bare = _bare(name)
    if bare != name and (resources.classify(bare) is not None or bare in extra):
        return bare
    slices = _MIG.match(bare.lower())
    if slices is not None:
        return _mig(int(slices[1][:3]), int(slices[2][:4]), slices[3])
    if bare == REMOVED or squashed(bare) in _ALIASES:
        return WHOLE_GPU
    return _respelt(bare, extra, system) or _half_right(bare, extra) or _prefixed(name)


def _prefixed(name: str) -> str | None:
    """Return the known name that a name with one part too many begins with: ``nvidia.com/gpu/1`` is not valid."""
    known = "/".join(name.split("/", 2)[:2])
    return known if known != name and resources.classify(known) is not None else None


def _bare(name: str) -> str:
    for prefix in QUOTA_PREFIXES:
        name = name.removeprefix(prefix)
    return name


def without_quota_prefix(key: str) -> str:
    """Return the resource name of an item of a quota, without its prefix, misspelt or not."""
    prefix = next((prefix for prefix in (*QUOTA_PREFIXES, *QUOTA_SLIPS) if key.startswith(prefix)), "")
    return key[len(prefix) :]


def _respelt(name: str, extra: Iterable[str], system: str) -> str | None:
    plain = squashed(name)
    for known in extra:
        if squashed(known) == plain:
            return known
    if "/" in name:
        return _by_squashed_name().get(plain)
    known_to_backend = _by_system().get((system, plain))
    return known_to_backend or _by_squashed_name().get(plain) or (WHOLE_GPU if _WORDS.search(name.lower()) else None)


def _half_right(name: str, extra: Iterable[str]) -> str | None:
    domain, slash, rest = name.partition("/")
    if not slash:
        return None
    own = [known.partition("/") for known in extra]
    rests = [*_halves()[0].get(domain, ()), *(its for of, _, its in own if of == domain)]
    near = nearest(rest, (its for its in rests if _same_digits(its, rest)), 1 if len(rest) <= LONGEST_SHORT_REST else 2)
    if near is not None and not rest.endswith(tuple(rests)):  # sgpu is a different name, not a typo of pgpu
        return f"{domain}/{near}"
    domains = [*_halves()[1].get(rest, ()), *(of for of, _, its in own if its == rest)]
    near = nearest(domain, domains, 1 if len(domain) <= LONGEST_SHORT_DOMAIN else 2)
    return None if near is None else f"{near}/{rest}"


def _same_digits(one: str, other: str) -> bool:
    """Return whether two names have the same numbers: ``gpu0`` and ``i916`` are different names, not typos."""
    return _DIGITS.findall(one) == _DIGITS.findall(other)


def is_offered(name: str, own: Iterable[str] = ()) -> bool:
    """Return whether any card is known to offer a MIG profile's resource; ``own`` are the policy's profiles."""
    found = resources.mig_name(name)
    if found is None:
        return True
    slices, size = int(found[1][:3]), int(found[2][:4])
    return size in _PROFILES.get(slices, ()) or f"{slices}g.{size}gb" in own


def _mig(slices: int, size: int, suffix: str) -> str:
    """Return the resource of the nearest known profile: of the same number of slices if there is one, then by size."""
    count = min(_PROFILES, key=lambda known: (abs(known - slices), known))
    near = min(filter(None, _PROFILES[count]), key=lambda known: (abs(known - size), known))  # 0 is only on Thor
    name = f"nvidia.com/mig-{count}g.{near}gb"
    suffixed = name + _MIG_SUFFIXES.get(suffix, suffix)
    return suffixed if resources.mig_name(suffixed) else name
