"""The exercises of CONTRIBUTING.md, in a copy of the project: what is added is found everywhere it must be."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_admission.docpages import exempted_components

ROOT = Path(__file__).parents[1]
PARTS = ("gpu_admission", "policies", "docs", "deploy", "examples", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")


class Copy:
    """A scratch copy, and what was touched in it by hand."""

    def __init__(self, root):
        self.root = root
        self.touched = set()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, root / part)
            else:
                shutil.copy(source, root / part)

    def add(self, path, text):
        assert not (self.root / path).exists()
        (self.root / path).write_text(text)
        self.touched.add(path)

    def edit(self, path, before, after):
        text = (self.root / path).read_text()
        assert text.count(before) == 1, (path, before)
        (self.root / path).write_text(text.replace(before, after))
        self.touched.add(path)

    def read(self, path):
        return (self.root / path).read_text()

    def run(self, module, *arguments, code=0, given=None):
        program = [sys.executable, "-m", f"gpu_admission.commands.{module}", *arguments]
        done = subprocess.run(
            program, cwd=self.root, env={**os.environ, "PYTHONPATH": str(self.root)}, input=given,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert code in {done.returncode, None}, (module, arguments, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def ask(self, policy, given):
        """The webhook's answer to a review, without a server."""
        return json.loads(self.run("main", "review", "-p", policy, "--validate", "-", code=None, given=given))[
            "response"
        ]

    def docs(self):
        """``make docs``, once; nothing is stale afterwards."""
        wrote = self.run("docs")
        self.run("docs", "--check")
        return wrote


@pytest.fixture
def project(tmp_path):
    return Copy(tmp_path)


def review(policy_backend_pod, user="alice", namespace="research"):
    request = {
        "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": namespace,
        "userInfo": {"username": user}, "object": policy_backend_pod,
    }  # fmt: skip
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


def pod(limits, annotations=None, **spec):
    sides = {"limits": limits, "requests": limits} if limits else {}
    container = {"name": "main", "image": "example.com/main:1", "resources": sides}
    metadata = {"name": "p", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container], **spec}}


class TestARule:
    """One file by hand, and the changelog."""

    ID = "GPU298"

    def add(self, project):
        source = project.read("gpu_admission/rules/request/gpu001_request_without_limit.py")
        source = source.replace("GPU001", self.ID).replace('name="request-without-limit"', 'name="of-the-exercise"')
        source = source.replace('summary="a GPU in requests and not in limits"', 'summary="an exercise"')
        module = "gpu298_of_the_exercise"
        project.add(f"gpu_admission/rules/placement/{module}.py", source)
        project.edit("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- GPU298, an exercise.\n")

    def test_is_found_everywhere(self, project):
        self.add(project)
        assert "wrote policies/RULES.md" in project.docs()
        assert len(project.touched - {"CHANGELOG.md"}) == 1
        assert f"## {self.ID}" in project.read("policies/RULES.md")
        assert self.ID in project.run("lint", "--list-rules")
        assert "of-the-exercise" in project.run("lint", "--explain", self.ID)
        broken = pod(None)
        broken["spec"]["containers"][0]["resources"] = {"requests": {"nvidia.com/gpu": 1}}
        (project.root / "p.json").write_text(json.dumps(broken))
        sarif = json.loads(project.run("lint", "-f", "sarif", "p.json", code=1))
        (run,) = sarif["runs"]
        assert self.ID in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        assert self.ID in {result["ruleId"] for result in run["results"]}
        policy = project.read("policies/default.yaml").replace(
            "  backend:\n", f"  rules: {{{self.ID}: deny}}\n  backend:\n"
        )
        (project.root / "own.yaml").write_text(policy)
        project.run("main", "policy", "check", "own.yaml")
        assert self.ID in project.ask("own.yaml", review(broken))["auditAnnotations"]["rules"]


ACME = '''
"""Acme: an exercise."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB

from .base import Backend, BackendDocs, Marks
from .checks import in_units, no_cores, several_gpus
from .components import Component
from .parameter import memory_factor
from .portable import BackendPatch, GpuShare

_MEMORY = "acme.example/gpu-mem"


class Acme(Backend):
    """Memory of one card."""

    name = "acme"
    title = "Acme"
    scheduler = "acme-scheduler"
    reads = frozenset({"acme"})
    shares_cards = True
    parameters = (memory_factor(_MEMORY, "its configuration"),)
    marks = Marks("Acme", annotations=("acme.example/assigned-*",), opt_out=(("acme.example/webhook", "off"),))
    components = (
        Component(
            "Acme", source="example/acme: README.md", namespaces=("acme-system",), accounts=("acme-system:writer",)
        ),
    )

    def read(self, native_request, facts):
        """Read memory."""
        return GpuShare((native_request.amount(_MEMORY) or 0) * facts.factor * MIB, consumed=frozenset({_MEMORY}))

    def write(self, request, facts):
        """Write memory."""
        for refused in (*several_gpus(self, request), *no_cores(self, request)):
            raise refused
        units, notes = in_units(request.memory or 0, facts.factor * MIB)
        return BackendPatch({_MEMORY: units}, notes=notes)


BACKEND = Acme()
BACKEND.docs = BackendDocs(summary="An exercise.", refuses=(), install="Nothing.", traps=(), sources=("example/acme: README.md",))
'''
POLICY = """\
# Acme: an exercise.
apiVersion: gpu-admission.io/v1alpha1
kind: GPUPolicy
metadata:
  name: acme
spec:
  backend:
    name: acme
    memoryFactor: 2
"""


class TestABackend:
    """Four files by hand (its module, the registry, its resources' names, its policy), and the changelog.

    Its example is another, with its row in the README there; the laws of the tests run over it by themselves.
    """

    def add(self, project):
        project.add("gpu_admission/backends/acme.py", ACME.lstrip())
        project.edit("gpu_admission/backends/registry.py", '    "dra",\n', '    "dra",\n    "acme",\n')
        row = '    ("nvidia", "gpushare", "memory", "shared", "aliyun.com/gpu-mem"),\n'
        project.edit(
            "gpu_admission/workloads/resources.py",
            row, row + '    ("nvidia", "acme", "memory", "shared", "acme.example/gpu-mem"),\n',
        )  # fmt: skip
        project.add("policies/acme.yaml", POLICY + exempted_components.BEGIN + exempted_components.END)
        project.edit("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- Acme, an exercise.\n")

    def test_is_found_everywhere(self, project):
        self.add(project)
        wrote = project.docs()
        assert len(project.touched - {"CHANGELOG.md"}) == 4
        for path in ("backends/known.py", "policies/acme.yaml", "docs/backends.md", "deploy/base/webhooks.yaml"):
            assert f"{path}\n" in wrote, path
        self.in_what_is_generated(project)
        self.on_the_command_line(project)
        self.at_admission(project)

    def in_what_is_generated(self, project):
        page = project.read("docs/backends.md")
        assert "### acme\n" in page
        assert "`acme-system:writer`" in page
        schema = json.loads(project.read("policies/policy.schema.json"))
        assert "memoryFactor" in schema["$defs"]["Acme"]["properties"]
        policy = project.read("policies/acme.yaml")
        assert "- acme-system " in policy
        assert "- system:serviceaccount:acme-system:writer " in policy
        assert "acme-system" not in project.read("policies/default.yaml")
        assert "acme" in project.read("deploy/base/webhooks.yaml"), "the conditions call for its marks"

    def on_the_command_line(self, project):
        assert "acme" in project.run("main", "policy", "list")
        project.run("main", "policy", "check", "policies/acme.yaml")
        wrong = POLICY.replace("memoryFactor: 2", "memoryFactor: none")
        (project.root / "wrong.yaml").write_text(wrong)
        project.run("main", "policy", "check", "wrong.yaml", code=1)
        (project.root / "p.json").write_text(json.dumps(pod({"gpu-admission.io/gpu-mem": "8Gi"})))
        written = project.run("main", "translate", "--to", "acme", "p.json")
        assert '"acme.example/gpu-mem": 4096' in written
        (project.root / "q.json").write_text(written)
        assert '"nvidia.com/gpumem": 4096' in project.run("main", "translate", "--to", "hami", "q.json")

    def at_admission(self, project):
        spoofed = pod({"nvidia.com/gpu": "1"}, {"acme.example/assigned-0": "x"})
        for policy in ("default", "acme"):
            answer = project.ask(policy, review(spoofed))
            assert "GPU307" in answer["status"]["message"]
            assert "Acme" in answer["status"]["message"]
        assert project.ask("acme", review(spoofed, "system:serviceaccount:acme-system:writer"))["allowed"]
        assert project.ask("acme", review(spoofed, namespace="acme-system"))["allowed"]
        limited = pod({"acme.example/gpu-mem": "4096"}, schedulerName="acme-scheduler")
        limited["spec"]["containers"][0]["env"] = [{"name": "CUDA_DEVICE_MEMORY_LIMIT_0", "value": "0"}]
        assert "GPU308" in project.ask("acme", review(limited))["status"]["message"]


LINES = '''
"""One line a finding: an exercise."""


def render(report, *_args, **_options):
    """Return rule and place of each finding."""
    return "".join(f"{each.finding.rule} {each.place.file}:{each.place.line}\\n" for each in report.findings)
'''


class TestAFormat:
    """A module and a line in the table of formats, and the changelog."""

    def test_is_found_everywhere(self, project):
        project.add("gpu_admission/reports/lines.py", LINES.lstrip())
        row = '    "gitlab": "gitlab",\n'
        project.edit("gpu_admission/reports/formats.py", row, row + '    "lines": "lines",\n')
        project.edit("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- The format `lines`, an exercise.\n")
        assert project.docs() == "", "nothing that is generated lists the formats"
        assert len(project.touched - {"CHANGELOG.md"}) == 2
        assert "gitlab|lines" in project.run("lint", "--help")
        assert "lines" in project.run("lint", "--completion", "bash")
        broken = pod(None)
        broken["spec"]["containers"][0]["resources"] = {"requests": {"nvidia.com/gpu": 1}}
        (project.root / "p.json").write_text(json.dumps(broken))
        wanted = "GPU001 p.json:1\n"
        assert project.run("lint", "-f", "lines", "p.json", code=1) == wanted
        project.run("lint", "-o", "lines=found.txt", "p.json", code=1)
        assert project.read("found.txt") == wanted
        (project.root / ".gpu-lint.yaml").write_text("format: lines\n")
        assert project.run("lint", "p.json", code=1) == wanted
        (project.root / ".gpu-lint.yaml").write_text("format: line\n")
        project.run("lint", "p.json", code=2)


class TestAKind:
    """One line."""

    def test_is_found_everywhere(self, project):
        line = '    "kubeflow.org": {\n'
        project.edit(
            "gpu_admission/workloads/kinds.py", line, f'    "acme.example": {{"Train": _pods("/spec/inner")}},\n{line}'
        )
        project.docs()
        assert len(project.touched) == 1
        body = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"nvidia.com/gpu": 1}}}]}
        train = {"apiVersion": "acme.example/v1", "kind": "Train", "metadata": {"name": "t"}, "spec": {"inner": body}}
        (project.root / "t.json").write_text(json.dumps(train))
        report = json.loads(project.run("lint", "-f", "json", "t.json", code=1))
        (pointer,) = {each["pointer"] for each in report["findings"] if each["rule"] == "GPU001"}
        assert pointer == "/spec/inner/containers/0/resources/requests/nvidia.com~1gpu"
        assert "trains" in project.run("main", "manifests", "--only", "webhooks")
        assert "trains" in project.read("deploy/base/webhooks.yaml")
