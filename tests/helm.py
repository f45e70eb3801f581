"""The real helm, if there is one: on PATH, or in the folder that KUBEBUILDER_ASSETS names."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "chart"
NAME = "gpu-admission"
# A helm built by `go install` takes 1.20 for the version of a cluster that it does not ask.
KUBERNETES = ("--kube-version", "1.36.0")


def tool(name):
    """The path of a program; skips the test where there is none."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    found = shutil.which(name, path=os.pathsep.join(filter(None, (assets, os.environ.get("PATH")))))
    if found is None:
        pytest.skip(f"{name} is not installed, neither on PATH nor in the folder that KUBEBUILDER_ASSETS names")
    return found


def helm(*args, check=True, env=None, timeout=120):
    """Run helm; the finished process, with texts."""
    command = [tool("helm"), *map(str, args)]
    environ = {**os.environ, "HELM_NO_PLUGINS": "1", **(env or {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environ)
    assert done.returncode == 0 or not check, done.stderr
    return done


def template(*args, release=NAME, namespace=NAME, chart=CHART):
    """The objects of a release, hooks left out."""
    done = helm("template", release, chart, "--namespace", namespace, *KUBERNETES, *args)
    objects = [each for each in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if each]
    return [each for each in objects if "helm.sh/hook" not in each["metadata"].get("annotations", {})]


def refused(*args, namespace=NAME):
    """The one sentence with which helm refuses values."""
    done = helm("template", NAME, CHART, "--namespace", namespace, *KUBERNETES, *args, check=False)
    assert done.returncode == 1, done.stdout[:500]
    return done.stderr


def one(objects, kind, name=None):
    (found,) = [each for each in objects if each["kind"] == kind and name in {None, each["metadata"]["name"]}]
    return found
