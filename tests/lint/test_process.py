"""gpu-lint as a process: several of them, interrupts, closed pipes, and how little it loads."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from gpu_admission.lint import parallel, progress

from .conftest import CLEAN, POD

ROOT = pathlib.Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "gpu_admission.commands.lint"]


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def run(lint, *argv, **more):
    return subprocess.run(
        [*COMMAND, *argv], cwd=lint.folder, env=environment(), capture_output=True, check=False, **more
    )


class TestJobs:
    @pytest.fixture
    def many(self, lint, monkeypatch):
        monkeypatch.setattr(parallel, "ENOUGH", 1)
        monkeypatch.setattr(parallel, "_CHUNKS", 3)
        for number in range(40):
            lint.write(f"{number}.yaml", POD if number % 3 else CLEAN)
        lint.write("bad.yaml", "a: [  # gpu")
        lint.write("template.yaml", "{{ gpu }}\nb: [")
        return lint

    @pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "github", "gitlab"])
    def test_the_output_is_the_same_for_any_number(self, many, form):
        one, four = many(".", "-f", form, "--jobs", "1"), many(".", "-f", form, "--jobs", "4")
        assert (one.code, one.out, one.err) == (four.code, four.out, four.err)
        assert one.code == 2

    def test_files_are_fixed_in_parallel(self, many):
        many(".", "--fix", "--jobs", "4")
        assert all("limits" in many.read(f"{n}.yaml") for n in range(40) if n % 3)

    def test_a_process_that_dies_costs_one_file(self, many, monkeypatch):
        real = parallel.handle

        def die(judge, source):
            if source.name == "7.yaml":
                os.kill(os.getpid(), signal.SIGKILL)
            return real(judge, source)

        monkeypatch.setattr(parallel, "handle", die)
        result = many.json(".", "--jobs", "2")
        assert result.code == 2
        died = [e for e in result.json["errors"] if "died" in e["message"]]
        assert [e["file"] for e in died] == ["7.yaml"]
        assert result.json["summary"]["error"] == len([n for n in range(40) if n % 3 and n != 7])

    def test_one_process_where_there_is_little_to_read(self, lint, monkeypatch):
        lint.write("a.yaml")
        lint.write("b.yaml")
        monkeypatch.setattr(parallel, "_in_parallel", None)
        assert lint(".", "--jobs", "4").code == 1


def test_the_module_runs(lint):
    lint.write("a.yaml")
    done = run(lint, "a.yaml")
    assert done.returncode == 1
    assert done.stdout.startswith(b"a.yaml:11:11: GPU001 ")


def test_an_interrupt_ends_it_quietly_with_130(lint):
    lint.write("a.yaml")
    process = subprocess.Popen(
        [*COMMAND, "-"],
        cwd=lint.folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts background processes with interrupts ignored, which we inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        process.stdin.write(b"a: 1\n")
        process.stdin.flush()
        # It has to be past its imports; it then waits for the rest of standard input.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err == b""


def test_a_reader_that_goes_away(lint):
    for number in range(2000):
        lint.write(f"{number}.yaml")
    command = " ".join([*COMMAND, ". | head -1; echo ${PIPESTATUS[0]}"])
    done = subprocess.run(["bash", "-c", command], cwd=lint.folder, env=environment(), capture_output=True, check=False)
    assert done.stdout.splitlines()[-1] == b"1"
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_a_full_disk(lint):
    lint.write("a.yaml")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "a.yaml"], cwd=lint.folder, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr == b"gpu-lint: the report cannot be written: no space left on device\n"


def test_closed_streams(lint):
    lint.write("a.yaml")
    for redirection in (">&-", "2>&-", ">&- 2>&-"):
        command = " ".join([*COMMAND, "a.yaml", redirection])
        done = subprocess.run(
            ["bash", "-c", command], cwd=lint.folder, env=environment(), capture_output=True, check=False
        )
        assert done.returncode == (1 if redirection == "2>&-" else 2)
        assert b"Traceback" not in done.stderr


def test_a_locale_without_unicode(lint):
    lint.write("\N{SNOWMAN}.yaml", POD.replace("name: train", "name: \N{SNOWMAN}"))
    for name in ("C", "POSIX"):
        done = subprocess.run(
            [*COMMAND, "."], cwd=lint.folder, check=False, capture_output=True,
            env=environment(LC_ALL=name, PYTHONIOENCODING="ascii", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
        )  # fmt: skip
        assert done.returncode == 1
        assert b"GPU001" in done.stdout
        assert b"Traceback" not in done.stderr


# What a run over one small YAML file may load besides gpu_admission itself; each module more is paid by every hook.
FORBIDDEN = {
    "argparse", "asyncio", "base64", "concurrent", "dataclasses", "datetime", "decimal", "difflib", "email", "fractions",
    "gettext", "hashlib", "importlib.metadata", "inspect", "json", "jsonpatch", "jsonpointer", "locale", "logging",
    "multiprocessing", "pathlib", "pickle", "pydantic", "random", "shutil", "socket", "string", "struct", "subprocess",
    "tempfile", "textwrap", "threading", "time", "tomllib", "typing", "urllib", "xml", "zlib",
    "yaml.composer", "yaml.constructor", "yaml.cyaml", "yaml.resolver",
}  # fmt: skip
ALLOWED = {
    "__future__", "_bisect", "_operator", "_sre", "_struct", "binascii", "bisect", "collections", "contextlib", "copyreg",
    "enum", "errno", "functools", "gc", "itertools", "keyword", "math", "operator", "re", "re._casefix", "re._compiler",
    "re._constants", "re._parser", "reprlib", "types", "warnings", "yaml", "yaml._yaml", "yaml.error", "yaml.events",
    "yaml.nodes", "yaml.tokens", "importlib", "importlib._abc", "importlib.machinery", "importlib._bootstrap",
    "importlib._bootstrap_external", "_collections", "_functools", "runpy", "pkgutil", "importlib.util", "importlib.abc",
}  # fmt: skip
PROBE = """
import sys
before = set(sys.modules)
from gpu_admission.commands.lint import main
code = main(["a.yaml"])
print("\\n".join(sorted(set(sys.modules) - before)), file=sys.stderr)
sys.exit(code)
"""


def test_a_run_on_a_small_file_loads_little(lint):
    lint.write("a.yaml")
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{PROBE}"],
        cwd=lint.folder, capture_output=True, check=False, env=environment(),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    loaded = {
        name for name in done.stderr.decode().split() if not name.startswith(("gpu_admission", "cython", "_cython"))
    }
    assert not loaded & FORBIDDEN
    assert loaded <= ALLOWED, loaded - ALLOWED
    ours = {name for name in done.stderr.decode().split() if name.startswith("gpu_admission")}
    unused = ("sarif", "junit", "gitlab", "github", "explain", "rule_catalogue", "json_report", "tally", "identity")
    assert not {name for name in ours if name.rpartition(".")[2] in unused}
    assert not {name for name in ours if name.startswith(("gpu_admission.webhook", "gpu_admission.cluster"))}
    assert not {name for name in ours if name.rpartition(".")[2] in {"repair", "edit", "baseline", "globs", "comments"}}


class TestProgress:
    class Clock:
        def __init__(self):
            self.now = 0.0

        def __call__(self):
            self.now += 0.3
            return self.now

    def test_a_long_run_tells_and_cleans_up(self, capsys):
        assert list(progress.shown(range(10), 10, self.Clock())) == list(range(10))
        err = capsys.readouterr().err
        assert "\r4 of 10 files\x1b[K" in err
        assert err.endswith("\r\x1b[K")

    def test_a_short_run_tells_nothing(self, capsys):
        assert list(progress.shown(range(2), 2, self.Clock())) == [0, 1]
        assert capsys.readouterr().err == ""

    def test_only_on_a_terminal(self, lint, monkeypatch):
        seen = []
        monkeypatch.setattr(progress, "shown", lambda outcomes, total: seen.append(total) or outcomes)
        lint.write("a.yaml")
        lint("a.yaml")
        assert seen == []
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        lint("a.yaml")
        assert seen == [1]
        lint("a.yaml", "--quiet")
        assert seen == [1]


def test_json_report_holds_the_promised_keys(lint):
    lint.write("a.yaml")
    report = json.loads(run(lint, "a.yaml", "-f", "json").stdout)
    assert list(report) == ["version", "tool", "policy", "findings", "errors", "skipped", "summary"]
