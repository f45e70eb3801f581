"""What ``make dist`` builds: the same bytes from the same files, and packages that work."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from helm import CHART, KUBERNETES, helm

from gpu_admission import __version__
from gpu_admission.commands import versions

ROOT = Path(__file__).resolve().parent.parent
DATE = 1_700_000_000


def load():
    spec = importlib.util.spec_from_file_location("release_build", ROOT / "release" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load()


@pytest.fixture
def copied(tmp_path):
    """The chart in another checkout: other times, other modes, an editor's temporary files."""
    copy = tmp_path / "copy"
    shutil.copytree(CHART, copy)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    (copy / "values.yaml~").write_text("left by an editor")
    return copy


def test_the_chart_package_is_the_same_bytes_wherever_it_is_built(tmp_path, copied):
    packages = []
    for name, chart in (("a", CHART), ("b", copied)):
        (tmp_path / name).mkdir()
        packages.append(build.chart_package(tmp_path / name, DATE, chart))
    assert packages[0].name == packages[1].name == f"gpu-admission-{__version__}.tgz"
    assert packages[0].read_bytes() == packages[1].read_bytes()
    with tarfile.open(packages[0]) as archive:
        assert archive.getnames()[0] == "gpu-admission/Chart.yaml"
        assert {(each.mtime, each.mode, each.uid, each.uname) for each in archive} == {(DATE, 0o644, 0, "")}
        names = {name.removeprefix("gpu-admission/") for name in archive.getnames()}
    assert names == {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()} - {".helmignore"}


def test_helm_reads_the_package(tmp_path):
    package = build.chart_package(tmp_path, DATE)
    args = ("--namespace", "gpu-admission", *KUBERNETES)
    assert (
        helm("template", "gpu-admission", package, *args).stdout
        == helm("template", "gpu-admission", CHART, *args).stdout
    )
    assert f"version: {__version__}" in helm("show", "chart", package).stdout


def test_the_sbom_is_the_lock(tmp_path):
    pytest.importorskip("cyclonedx_py", reason="the tools of a release are not installed: make .venv/.release")
    texts = []
    for name in "ab":
        (tmp_path / name).mkdir()
        texts.append(build.bill_of_materials(tmp_path / name, "1.2.3").read_text())
    assert texts[0] == texts[1]
    bill = json.loads(texts[0])
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", "1.2.3")
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / "all.txt").read_text(), re.MULTILINE)
    assert {(each["name"], each["version"]) for each in bill["components"]} == set(locked)
    root, *others = bill["dependencies"]
    assert (
        set(root["dependsOn"]) == {each["ref"] for each in others} == {each["bom-ref"] for each in bill["components"]}
    )


def test_only_what_is_of_a_release_is_replaced(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert build.main([str(tmp_path)]) == 2
    assert "thesis.txt: is not of a release" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()
    assert build.main([]) == 2


def test_the_sums_are_those_that_sha256sum_checks(tmp_path):
    (tmp_path / "gpu-admission-1.tgz").write_bytes(b"x")
    build.sums(tmp_path)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True)


def test_the_time_is_given_or_that_of_the_commit(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12")
    assert build.source_date() == 12


def test_the_version_is_written_in_one_place(monkeypatch):
    assert build.version() == __version__
    monkeypatch.setattr(versions, "__version__", "9.8.7")
    for path, text in versions.FILES.items():
        assert "9.8.7" in text(), path
        assert __version__ not in text() or path == "README.md", path
    (line,) = re.findall(r"^VERSION = \$\(shell (.*)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shell = subprocess.run(line.replace("$$", "$"), shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == __version__


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist, twice: of this checkout, and of what the first sdist holds."""
    pytest.importorskip("build")
    first, second, unpacked = (tmp_path_factory.mktemp(name) for name in ("first", "second", "unpacked"))
    build.python_packages(first, DATE)
    with tarfile.open(next(first.glob("*.tar.gz"))) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    (source / "PKG-INFO").unlink()  # which the build adds
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(second), str(source)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(DATE)})
    return first, second


@pytest.mark.slow
class TestPackages:
    def test_they_are_the_same_bytes_from_another_folder(self, built):
        for path in built[0].iterdir():
            assert path.read_bytes() == (built[1] / path.name).read_bytes(), path.name

    def test_the_wheel_needs_no_compiler(self, built):
        (wheel,) = built[0].glob("*.whl")
        assert wheel.name == f"gpu_admission-{__version__}-py3-none-any.whl"
        with zipfile.ZipFile(wheel) as archive:
            assert not [name for name in archive.namelist() if name.endswith((".so", ".c", ".pyx"))]

    def test_the_wheel_runs(self, built, tmp_path):
        """Installed by pip, away from the checkout; its requirements are those installed here."""
        (wheel,) = built[0].glob("*.whl")
        venv.create(tmp_path / "venv", with_pip=False)
        python = tmp_path / "venv" / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=120)
        (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
        others = next(path for path in sys.path if path.endswith("site-packages"))
        (site / "others.pth").write_text(f"{others}\n")

        def run(*arguments, given=None):
            command = [str(python.parent / arguments[0]), *arguments[1:]]
            done = subprocess.run(command, cwd=tmp_path, input=given, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
            return done.returncode, done.stdout + done.stderr

        where = subprocess.run([str(python), "-c", "import gpu_admission; print(gpu_admission.__file__)"],
                               cwd=tmp_path, capture_output=True, text=True, check=True).stdout  # fmt: skip
        assert str(site) in where
        assert run("gpu-lint", "--version") == (0, f"gpu-lint {__version__}\n")
        code, policies = run("gpu-admission", "policy", "list")
        assert (code, "default" in policies) == (0, True)
        pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - {name: c, image: i, resources: {limits: {nvidia.com/gpu: 0.5}}}\n"
        code, output = run("gpu-lint", "-", given=pod)
        assert (code, "GPU003" in output) == (1, True)
        code, values = run("gpu-admission", "manifests", "--values")
        assert (code, "\n  webhooks:\n" in values) == (0, True)
