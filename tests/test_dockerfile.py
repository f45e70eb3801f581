"""The Dockerfile by reading it: no engine is needed, and the build itself tries what it made."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from gpu_admission.commands import healthcheck

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "deploy" / "Dockerfile").read_text()
DEPLOYMENT = (ROOT / "deploy" / "base" / "deployment.yaml").read_text()
STAGES = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]


def test_every_file_that_the_package_is_built_from_is_copied():
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {"pyproject.toml", built["project"]["readme"], *built["project"]["license-files"]}
    needed |= set(built["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]) | {"gpu_admission"}
    needed |= {"requirements"}  # which say what is installed beside it
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", STAGES[0], re.MULTILINE) for word in line.split()
    }
    assert needed == copied
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {path.partition("/")[0] for path in needed} == sent
    assert all((ROOT / path).exists() for path in needed)


def test_what_pip_fetches_is_checked_by_its_hash():
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel) [^&]*", STAGES[0].replace("\\\n", ""))
    assert len(installs) == 4
    for command in installs:
        fetches_nothing = "--no-index --no-deps" in command or "--no-deps --no-build-isolation" in command
        assert fetches_nothing or re.search(r"--require-hashes +-r requirements/\w+\.txt\s*$", command), command


def test_it_runs_without_root_and_takes_no_tools_along():
    last = STAGES[-1]
    assert re.search(r"^USER \d+:\d+$", last, re.MULTILINE)
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert not re.search(r"\b(pip|apt-get|curl)\b", last)
    assert all(stage.startswith("${PYTHON}") for stage in STAGES)
    assert re.search(r"^ARG PYTHON=python:3\.\d+-slim@sha256:[0-9a-f]{64}$", TEXT, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["gpu-admission"\]$', last, re.MULTILINE)


def test_the_healthcheck_asks_where_the_server_answers():
    last = STAGES[-1]
    (module,) = re.findall(r'^HEALTHCHECK .* CMD \["python", "-m", "([\w.]+)"\]$', last, re.MULTILINE)
    assert importlib.util.find_spec(module) is not None
    assert re.search(rf"^ENV {healthcheck.VARIABLE}=127\.0\.0\.1:(\d+)$", last, re.MULTILINE)[1] in DEPLOYMENT
    assert "--health-bind=" in DEPLOYMENT  # for kubelet and Prometheus, which do not come from loopback


def test_the_manifests_name_the_image_in_one_place():
    component = (ROOT / "deploy" / "image" / "kustomization.yaml").read_text()
    assert f"image: {re.search('name: (.*)', component)[1]}:" in DEPLOYMENT
    assert "../image" in (ROOT / "deploy" / "base" / "kustomization.yaml").read_text()


def test_the_manifests_run_the_same_user():
    (user,) = re.findall(r"^USER (\d+):\d+$", TEXT, re.MULTILINE)
    assert f"runAsUser: {user}" in DEPLOYMENT


def test_the_build_tries_what_it_made_as_the_user_who_will_run_it():
    last = STAGES[-1]
    asuser = last[re.search(r"^USER ", last, re.MULTILINE).start() :]
    (imported,) = re.findall(
        r"^RUN gpu-admission policy list .*\\\n && python -c 'import ([^']*)'$", asuser, re.MULTILINE
    )
    left_out = re.findall(r"site-packages/(\S+)", STAGES[0])
    assert left_out == ["kubernetes/aio"]
    hidden = [name.replace("/", ".") for name in left_out]
    code = f"import sys; sys.modules.update(dict.fromkeys({hidden})); import {imported}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_bytecode_is_made_of_everything_and_for_good():
    """Nobody can write it later. The official images have none of Python's own library, which we cannot see here."""
    steps = re.split(r"\s*&&\s*", STAGES[0].replace("\\\n", ""))
    assert "compileall" in steps[-1]
    assert "--invalidation-mode unchecked-hash" in steps[-1]
    last = STAGES[-1].replace("\\\n", "")
    (library,) = re.findall(r"^RUN (python -m compileall .*)$", last, re.MULTILINE)
    assert "--invalidation-mode unchecked-hash" in library
    assert 'sysconfig.get_path("stdlib")' in library
    assert last.index(library) < last.index("USER")
    assert "PYTHONDONTWRITEBYTECODE=1" in last
