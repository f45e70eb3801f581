"""What shells make of a completion script."""

import shutil
import subprocess

import pytest


def check_syntax(shell, script):
    """See that a shell reads the script."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    flag = "--no-execute" if shell == "fish" else "-n"
    done = subprocess.run([shell, flag], input=script.encode(), check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def completed(script, *words):
    """Return what bash offers where the last of the words is being written."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    function = "_shtab_" + words[0].replace("-", "_")
    line = " ".join(f"'{word}'" for word in words)
    script += f"""
COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMPREPLY=()
{function} {words[0]} '{words[-1]}' '{words[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc"], input=script.encode(), check=True, capture_output=True)
    assert done.stderr == b""
    return set(done.stdout.decode().split())
