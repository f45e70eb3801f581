"""Build a release: wheel, sdist, Helm chart and SBOM, and the sums of all four. ``make dist`` runs it.

    python release/build.py FOLDER

The same commit gives the same bytes: times come from SOURCE_DATE_EPOCH, or from the commit; nothing else depends on
when, where or by whom it is built. Build from a clean checkout: what git does not ignore gets into the sdist.
"""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "chart"
LOCK = ROOT / "requirements" / "all.txt"
_IGNORED = re.compile(r"\.helmignore|.*\.(tgz|orig)|.*~")
_OURS = re.compile(r"gpu[-_]admission-.*|SHA256SUMS")
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def source_date() -> int:
    """Return the time of all files, in seconds since 1970: SOURCE_DATE_EPOCH, or that of the commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        command = ["git", "log", "-1", "--format=%ct"]
        given = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return int(given)


def python_packages(folder: Path, date: int) -> None:
    """Build sdist and wheel, the wheel from the sdist, with the installed build tools (requirements/build.txt)."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(date)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def chart_package(folder: Path, date: int, chart: Path = CHART) -> Path:
    """Write ``gpu-admission-VERSION.tgz`` as `helm package` would, except for times, owners and modes of files."""
    described = (chart / "Chart.yaml").read_text(encoding="utf-8")
    name, version = (re.search(rf"^{key}: (\S+)$", described, re.MULTILINE)[1] for key in ("name", "version"))
    files = [path for path in chart.rglob("*") if path.is_file() and not _IGNORED.fullmatch(path.name)]
    names = {path.relative_to(chart).as_posix(): path for path in files}
    target = folder / f"{name}-{version}.tgz"
    # No name and no time in gzip's header, and Chart.yaml first, which readers look for.
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=date) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(names, key=lambda each: (each != "Chart.yaml", each)):
            content = names[path].read_bytes()
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mtime, entry.mode = len(content), date, 0o644
            archive.addfile(entry, io.BytesIO(content))
    return target


def bill_of_materials(folder: Path, version: str) -> Path:
    """Write a CycloneDX SBOM of what the image installs, every version and hash of the lock in it."""
    target = folder / f"gpu-admission-{version}.cdx.json"
    command = [
        *(sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "--output-reproducible"),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--of", "JSON", "--output-file", str(target), str(LOCK)),
    ]
    subprocess.run(command, check=True)
    bill = json.loads(target.read_text(encoding="utf-8"))
    # The tool does not read computed versions, and does not count all of the file's packages as dependencies.
    component = bill["metadata"]["component"]
    component |= {"version": version, "purl": f"pkg:pypi/gpu-admission@{version}"}
    references = sorted(each["bom-ref"] for each in bill["components"])
    bill["dependencies"] = [
        {"ref": component["bom-ref"], "dependsOn": references},
        *({"ref": reference} for reference in references),
    ]
    target.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    locked = set(_PIN.findall(LOCK.read_text(encoding="utf-8")))
    listed = {(each["name"], each["version"]) for each in bill["components"]}
    if listed != locked:
        raise ValueError(f"the SBOM and {LOCK.name} differ in {sorted(locked ^ listed)}")
    return target


def sums(folder: Path) -> None:
    """Write SHA256SUMS, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def version() -> str:
    """Return the version, from ``gpu_admission/__init__.py``."""
    text = (ROOT / "gpu_admission" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)[1]


def main(argv: list[str]) -> int:
    """Build everything into an otherwise empty folder, and print the sums."""
    if len(argv) != 1:
        print("usage: build.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if not _OURS.fullmatch(path.name):
            print(f"build.py: {path}: is not of a release, choose an empty folder", file=sys.stderr)
            return 2
        path.unlink()
    date = source_date()
    python_packages(folder, date)
    chart_package(folder, date)
    bill_of_materials(folder, version())
    sums(folder)
    print((folder / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
