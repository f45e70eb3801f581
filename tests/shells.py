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


def completed(script, *arguments, env=None):
    """Return what bash offers where the last of the words is being written."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    function = "_shtab_" + arguments[0].replace("-", "_")
    line = " ".join(f"'{word}'" for word in arguments)
    script += f"""
COMP_WORDS=({line}); COMP_CWORD={len(arguments) - 1}; COMPREPLY=(); COMP_LINE='{" ".join(arguments)}'; COMP_POINT=${{#COMP_LINE}}
{function} {arguments[0]} '{arguments[-1]}' '{arguments[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc"], input=script.encode(), check=True, capture_output=True, env=env)
    assert done.stderr == b""
    return set(done.stdout.decode().split())


def completed_by_fish(script, *arguments, env=None):
    """Return what fish offers where the last of the words is being written."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script += f"\ncomplete --do-complete '{' '.join(arguments)}'\n"
    done = subprocess.run(["fish", "--no-config"], input=script.encode(), check=True, capture_output=True, env=env)
    assert done.stderr == b""
    return {line.partition("\t")[0] for line in done.stdout.decode().splitlines()}


def completed_by_zsh(script, folder, *arguments, env=None):
    """Return what zsh has made of a line after a tab, in a terminal of its own; the last word must have one end."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    (folder / "_completion").write_text(script)
    (folder / "drive").write_text(ZSH.format(folder=folder, line=" ".join(arguments)))
    done = subprocess.run(["zsh", "-f", folder / "drive"], check=True, capture_output=True, env=env, timeout=120)
    return done.stdout.decode().partition("[[")[2].partition("]]")[0]


# A zsh in a pseudo-terminal; ^X prints the line as it stands then.
ZSH = """
zmodload zsh/zpty
zpty inner 'TERM=dumb zsh -f -i'
zpty -w inner 'PS1=; autoload -U compinit; compinit -u -d {folder}/dump; eval "$(<{folder}/_completion)"; \
  show() {{ print -r -- "[""[$BUFFER]""]"; exit }}; zle -N show; bindkey "^X" show; print read""y'
zpty -r inner found '*ready*'
zpty -w -n inner $'{line}\\t\\030'
zpty -r inner found '*\\[\\[*\\]\\]*'
print -r -- "$found"
"""
