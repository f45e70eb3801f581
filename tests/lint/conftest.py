"""gpu-lint through its front door, in a folder of its own."""

import io
import json
import sys

import fast_yaml
import pytest
import yaml

from gpu_admission.commands import lint as command
from gpu_admission.commands.main import main

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        requests:
          nvidia.com/gpu: 1
"""
CLEAN = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: example.com/web:1
"""


class Result:
    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def rules(self):
        return [finding["rule"] for finding in self.json["findings"]]


class Lint:
    """A working directory, and gpu-lint in it."""

    def __init__(self, folder, monkeypatch, capfd):
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def write(self, name, content=POD):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name):
        return (self.folder / name).read_bytes().decode()

    def __call__(self, *argv, stdin=None):
        if stdin is not None:
            data = stdin if isinstance(stdin, bytes) else stdin.encode()
            self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        self._capfd.readouterr()
        code = command.main([str(word) for word in argv])
        out, err = self._capfd.readouterr()
        return Result(code, out, err)

    def json(self, *argv, **more):
        return self(*argv, "-f", "json", **more)


@pytest.fixture
def lint(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Lint(tmp_path, monkeypatch, capfd)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """``gpu-admission translate`` of documents: exit code, documents, standard error."""
    monkeypatch.chdir(tmp_path)

    def translated(documents, *arguments):
        (tmp_path / "in.yaml").write_text(yaml.safe_dump_all(documents))
        code = main(["translate", *arguments, "in.yaml"])
        shown = capsys.readouterr()
        return code, list(fast_yaml.load_all(shown.out)), shown.err

    return translated


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes a file into a folder of its own, the current one; returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="p.yaml"):
        (tmp_path / name).write_text(text)
        return name

    return write
