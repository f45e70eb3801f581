"""The Dockerfile by reading it: there is no engine here to build it with."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "deploy" / "Dockerfile").read_text()
STAGES = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]


def test_every_file_that_the_package_is_built_from_is_copied():
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {"pyproject.toml", built["project"]["readme"], *built["project"]["license-files"]}
    needed |= set(built["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]) | {"gpu_admission"}
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", STAGES[0], re.MULTILINE) for word in line.split()
    }
    assert needed == copied
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {path.partition("/")[0] for path in needed} == sent
    assert all((ROOT / path).exists() for path in needed)


def test_it_runs_without_root_and_takes_no_tools_along():
    last = STAGES[-1]
    assert re.search(r"^USER \d+:\d+$", last, re.MULTILINE)
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert not re.search(r"\b(pip|apt-get|curl)\b", last)
    assert all(re.match(r"python:3\.\d+-slim\b", stage) for stage in STAGES)
    assert re.search(r'^ENTRYPOINT \["gpu-admission"\]$', last, re.MULTILINE)


def test_the_manifests_run_the_same_user():
    (user,) = re.findall(r"^USER (\d+):\d+$", TEXT, re.MULTILINE)
    assert f"runAsUser: {user}" in (ROOT / "deploy" / "base" / "deployment.yaml").read_text()
