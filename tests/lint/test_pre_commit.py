"""The hooks, run by pre-commit itself in a repository made for it."""

import os
import pathlib
import shutil
import subprocess
import sys

import fast_yaml
import pytest
import yaml

from .conftest import CLEAN, POD

ROOT = pathlib.Path(__file__).parents[2]
HOOKS = fast_yaml.load((ROOT / ".pre-commit-hooks.yaml").read_text())
PRE_COMMIT = pathlib.Path(sys.executable).with_name("pre-commit")


def test_both_hooks_say_what_pre_commit_should_know():
    assert [hook["id"] for hook in HOOKS] == ["gpu-lint", "gpu-lint-fix"]
    for hook in HOOKS:
        assert hook["language"] == "python"
        assert hook["types_or"] == ["yaml", "json"]
        assert hook["require_serial"] is True
        assert hook["args"] == []
        assert hook["additional_dependencies"] == []
        assert hook["minimum_pre_commit_version"]


# pip's messages without a package index; any other error is ours.
UNREACHABLE = ("No matching distribution", "Could not find a version", "Failed to establish", "Connection")


class Repository:
    """A repository with manifests in it, and pre-commit with a cache of its own."""

    def __init__(self, folder):
        self.folder = folder / "manifests"
        self.folder.mkdir()
        self.environment = {**os.environ, "PRE_COMMIT_HOME": str(folder / "cache"), "GIT_CONFIG_GLOBAL": os.devnull}
        # What pre-commit installs must not be found through this checkout.
        for name in ("PYTHONPATH", "GIT_DIR", "GIT_INDEX_FILE", "PYTHONDONTWRITEBYTECODE"):
            self.environment.pop(name, None)
        self.git("init", "-q")

    def git(self, *argv):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        return self.run("git", *identity, *argv)

    def run(self, *argv):
        return subprocess.run(
            [*map(str, argv)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def write(self, name, content):
        (self.folder / name).write_text(content)
        self.git("add", name)

    def pre_commit(self, hook):
        done = self.run(PRE_COMMIT, "run", hook, "--all-files", "--color=never")
        if any(word in done.stdout for word in UNREACHABLE):
            pytest.skip(f"pre-commit cannot install the hook (does it reach a package index?): {done.stdout[-600:]}")
        return done


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    if not PRE_COMMIT.exists() or shutil.which("git") is None:
        pytest.skip("pre-commit or git is not installed")
    folder = tmp_path_factory.mktemp("pre-commit")
    made = Repository(folder)
    # A copy of the checkout as it stands, committed: pre-commit clones what it installs.
    hooks = folder / "hooks"
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if names.returncode:
        pytest.skip("this is no checkout")
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file() and name.startswith(
            ("gpu_admission/", "policies/", "examples/", "pyproject", "README", "LICENSE", ".pre-")
        ):
            (hooks / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, hooks / name)
    if not (hooks / "README.md").exists():
        (hooks / "README.md").write_text("")
    for argv in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "The hooks")):
        assert made.git("-C", hooks, *argv).returncode == 0
    head = made.git("-C", hooks, "rev-parse", "HEAD").stdout.strip()
    config = {"repos": [{"repo": str(hooks), "rev": head, "hooks": [{"id": hook["id"]} for hook in HOOKS]}]}
    made.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    return made


@pytest.mark.slow
def test_pre_commit_finds_and_fixes(repository):
    repository.write("values.yaml", "no: {kubernetes: object}\n")
    repository.write("web.yaml", CLEAN)
    repository.write("notes.txt", POD)
    clean = repository.pre_commit("gpu-lint")
    assert clean.returncode == 0, clean.stdout + clean.stderr

    repository.write("train.yaml", POD)
    found = repository.pre_commit("gpu-lint")
    assert found.returncode == 1
    assert "train.yaml:11:11: GPU001 " in found.stdout
    assert "notes.txt" not in found.stdout

    fixed = repository.pre_commit("gpu-lint-fix")
    assert fixed.returncode == 1
    assert "files were modified by this hook" in fixed.stdout
    assert "limits:" in (repository.folder / "train.yaml").read_text()
    repository.git("add", "train.yaml")
    assert repository.pre_commit("gpu-lint-fix").returncode == 0
    assert repository.pre_commit("gpu-lint").returncode == 0
