"""The first thing a newcomer runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_demo_shows_every_kind_of_answer_and_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "gpu_admission.commands.main", "demo"]
    result = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    shown = result.stdout
    assert "pod/fine created" in shown
    assert "(repaired: add /spec/containers/0/resources/limits" in shown
    assert shown.count("Error from server (Forbidden)") == 2
    assert "Warning: GPU007" in shown
    assert "2-repaired.yaml:13:11: GPU001 error" in shown
    assert "+++ b/2-repaired.yaml" in shown
    assert os.listdir(tmp_path) == []


def test_a_server_that_cannot_start_is_said_so(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gpu_admission.commands.main", "demo", "--policy", "defalt"]
    result = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert "did you mean 'default'" in result.stderr
