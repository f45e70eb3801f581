"""``make image`` writes the digest of what was pushed where the overlays read it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import fast_yaml
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "image"
SPEC = importlib.util.spec_from_file_location("pin", FOLDER / "pin.py")
pin = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pin)

TEXT = (FOLDER / "kustomization.yaml").read_text()
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize("image", ["registry.example/team/gpu-admission", "registry.example/team/gpu-admission:1.2"])
def test_the_digest_of_the_registry_that_was_asked_for(image):
    listed = f"other.example/gpu-admission@{OTHER}\nregistry.example/team/gpu-admission@{DIGEST}\n"
    written = pin.pinned(TEXT, listed, image)
    wanted = {"name": "gpu-admission", "newName": "registry.example/team/gpu-admission", "digest": DIGEST}
    assert fast_yaml.load(written)["images"] == [wanted]
    assert written.splitlines()[0].startswith("#")
    assert pin.pinned(written, listed, image) == written


def test_a_port_is_no_tag():
    written = pin.pinned(TEXT, f"localhost:5000/g@{DIGEST}", "localhost:5000/g")
    assert fast_yaml.load(written)["images"][0]["newName"] == "localhost:5000/g"


@pytest.mark.parametrize(
    "listed", ["", "registry.example/g", f"other.example/g@{DIGEST}", "registry.example/g@sha256:x"]
)
def test_what_was_not_pushed_is_an_error(listed):
    with pytest.raises(ValueError, match=r"no digest of registry\.example/g: was it pushed\?"):
        pin.pinned(TEXT, listed, "registry.example/g")


def test_wrong_usage():
    assert subprocess.run([sys.executable, FOLDER / "pin.py"], capture_output=True, check=False).returncode == 2
