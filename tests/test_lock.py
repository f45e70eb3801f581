"""The lock (requirements/*.txt) agrees with pyproject.toml, and everything that installs for a fresh clone uses it."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKS = {"dev": "dev", "all": "all", "webhook": "webhook", "release": "release", "build": None}  # file -> extra
ENTRY = re.compile(
    r"^([a-z0-9-]+)(?:\[[a-z,-]+\])?==(\S+)[^\\]*(\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)?", re.MULTILINE
)


PIN = re.compile(r"^([a-z0-9-]+)(?:\[([a-z,-]+)\])?==", re.MULTILINE)


def text(lock):
    return (ROOT / "requirements" / f"{lock}.txt").read_text()


def pins(lock):
    return {name: version for name, version, _ in ENTRY.findall(text(lock))}


def wanted(extra):
    """Return the requirements of an extra and of the base, those of our own extras among them."""
    found = []
    for line in (*PROJECT["project"]["dependencies"], *EXTRAS[extra]):
        requirement = Requirement(line)
        if requirement.name == PROJECT["project"]["name"]:
            found += [one for inner in requirement.extras for one in wanted(inner)]
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_to_a_version_that_it_allows(lock):
    extra = LOCKS[lock]
    lines = PROJECT["build-system"]["requires"]
    for requirement in wanted(extra) if extra else map(Requirement, lines):
        version = pins(lock)[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}, but {version} is locked: make lock"


def locked_extras(lock):
    return {name: set(filter(None, extras.split(","))) for name, extras in PIN.findall(text(lock))}


def requested_extras(name, of):
    """Yield the requirements with extras of an installed distribution, as it is locked with some of its own extras."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        environments = [{"extra": extra} for extra in ("", *of)]
        if requirement.extras and (
            requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments)
        ):
            yield requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_an_extra_that_a_dependency_requests_is_locked(lock):
    """Else pip takes the newest release of the name with the extra, and refuses it: it has no hash in the lock."""
    locked = locked_extras(lock)
    assert locked.keys() == pins(lock).keys()
    for name, extras in locked.items():
        for requirement in requested_extras(name, extras):
            assert requirement.extras <= locked[canonicalize_name(requirement.name)], f"{name} requires {requirement}"


def test_some_dependency_requests_an_extra():
    assert any(True for _ in requested_extras("pytest-cov", ()))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_registry_is_named(lock):
    found = ENTRY.findall(text(lock))
    assert found
    assert all(hashes for _, _, hashes in found)
    lines = [line for line in text(lock).splitlines() if "==" in line and not line.lstrip().startswith("#")]
    assert len(lines) == len(found)
    assert not re.search(r"://|--(?:extra-)?index|--find-links", text(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_agree(lock):
    everything = pins("dev")
    assert {name: version for name, version in pins(lock).items() if everything.get(name, version) != version} == {}


def test_the_build_lock_covers_what_the_build_needs():
    lines = (ROOT / "requirements" / "build.in").read_text().splitlines()
    assert set(PROJECT["build-system"]["requires"]) <= set(lines)


def test_a_fresh_clone_installs_from_the_lock():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^LOCKED \?= yes$", makefile, re.MULTILINE)
    for lock in re.findall(r"\$\(call install,(\w+)\)", makefile):
        assert re.search(rf"^\$\(VENV\)/\.{lock}:.* requirements/{lock}\.txt$", makefile, re.MULTILINE)
