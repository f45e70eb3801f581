"""--fix, --unsafe-fixes and --diff."""

import os
import subprocess

import pytest

from gpu_admission.lint import fixes
from gpu_admission.yamledit.edit import EditRefusedError

from .conftest import CLEAN, POD

UNSAFE = POD.replace("        requests:\n", "        limits:\n          nvidia.com/gpu: 2\n        requests:\n")


def test_a_file_is_repaired_and_every_other_byte_kept(lint):
    content = "# a comment\n" + POD.replace("  name: train\nspec", '  name: "train"   # kept\nspec') + "# end"
    path = lint.write("a.yaml", content.replace("\n", "\r\n"))
    path.chmod(0o750)
    result = lint("a.yaml", "--fix")
    assert result.code == 0
    assert "Fixed 1 finding in 1 file (GPU001 1)" in result.err
    fixed = lint.read("a.yaml")
    assert fixed.count("\r\n") == fixed.count("\n")
    assert {"# a comment", '  name: "train"   # kept', "# end"} <= set(fixed.split("\r\n"))
    assert path.stat().st_mode & 0o777 == 0o750
    assert lint("a.yaml").code == 0


class TestOnlyWhatIsReported:
    """What --fix repairs is what is reported: a file without findings is a file that stays."""

    REPEATED = POD.replace("        requests:\n", "        limits:\n          nvidia.com/gpu: 1\n        requests:\n")

    @pytest.mark.parametrize("policy", ["any", "default"])
    def test_infos_stay(self, lint, policy):
        lint.write("a.yaml", self.REPEATED)
        assert lint("a.yaml", "-p", policy).code == 0
        result = lint("a.yaml", "-p", policy, "--fix", "--exit-non-zero-on-fix")
        assert result.code == 0
        assert "Fixed nothing" in result.err
        assert lint.read("a.yaml") == self.REPEATED

    @pytest.mark.parametrize("argv", [["--min-severity", "info"], ["--select", "GPU005"], ["--fail-on", "info"]])
    def test_infos_that_somebody_asks_for_are_repaired(self, lint, argv):
        lint.write("a.yaml", self.REPEATED)
        assert lint("a.yaml", "--fix", *argv).code == 0
        assert "requests" not in lint.read("a.yaml")

    def test_what_the_policy_makes_graver_is_repaired(self, lint):
        lint.write("a.yaml", self.REPEATED)
        assert lint("a.yaml", "--fix", "-p", "strict").code == 0
        assert "requests" not in lint.read("a.yaml")

    def test_an_unsafe_repair_of_an_info_is_none_either(self, lint):
        lint.write("a.yaml", self.REPEATED)
        lint("a.yaml", "--fix", "--unsafe-fixes")
        assert lint.read("a.yaml") == self.REPEATED

    def test_beside_an_error_infos_stay(self, lint):
        lint.write("a.yaml", POD + self.REPEATED.partition("containers:\n")[2].replace("train", "other"))
        assert lint("a.yaml", "--fix").code == 0
        assert "tolerations" not in lint.read("a.yaml")
        assert lint.read("a.yaml").count("requests") == 2


def test_nothing_is_written_where_nothing_changes(lint, monkeypatch):
    path = lint.write("a.yaml", CLEAN)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    result = lint("a.yaml", "--fix")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert result.code == 0
    assert "Fixed nothing" in result.err


def test_a_second_run_finds_nothing_to_do(lint):
    lint.write("a.yaml")
    lint("a.yaml", "--fix")
    once = lint.read("a.yaml")
    assert "Fixed nothing" in lint("a.yaml", "--fix").err
    assert lint.read("a.yaml") == once


def test_unsafe_fixes_want_to_be_asked_for(lint):
    lint.write("a.yaml", UNSAFE)
    assert lint("a.yaml", "--fix").code == 1
    assert "GPU002" in lint("a.yaml").out
    assert lint("a.yaml", "--fix", "--unsafe-fixes").code == 0


def test_what_is_left_is_reported(lint):
    lint.write("a.yaml", POD + "---\n" + POD.replace("nvidia.com/gpu: 1", "nvidia.com/gpu: 1.5"))
    result = lint.json("a.yaml", "--fix")
    assert result.code == 1
    assert "GPU003" in result.rules
    assert result.json["summary"]["error"] == len(result.rules)


def test_exit_non_zero_on_fix(lint):
    lint.write("a.yaml")
    assert lint("a.yaml", "--fix", "--exit-non-zero-on-fix").code == 1
    assert lint("a.yaml", "--fix", "--exit-non-zero-on-fix").code == 0


def test_fixes_follow_the_selection(lint):
    lint.write("a.yaml")
    lint("a.yaml", "--fix", "--ignore", "GPU201")
    assert "tolerations" not in lint.read("a.yaml")
    lint.write("a.yaml")
    lint("a.yaml", "--fix", "--select", "GPU201")
    assert "limits" not in lint.read("a.yaml")


def test_a_fix_that_the_policy_withholds_wants_to_be_selected(lint):
    lint.write("policy.yaml", "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: mine}\n"
               "spec: {rules: {GPU001: {action: deny, fix: false}, GPU201: off}}\n")  # fmt: skip
    lint.write("a.yaml")
    assert lint("a.yaml", "--fix", "-p", "policy.yaml").code == 1
    assert lint.read("a.yaml") == POD
    assert lint("a.yaml", "--fix", "-p", "policy.yaml", "--select", "GPU001").code == 0


def test_several_documents_and_a_broken_one(lint):
    lint.write("a.yaml", POD + "---\na: 1\na: 2\n---\n" + POD)
    result = lint("a.yaml", "--fix")
    assert result.code == 2
    assert lint.read("a.yaml").count("limits:") == 2
    assert "---\na: 1\na: 2\n---\n" in lint.read("a.yaml")


ANCHORED = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  tolerations: [{operator: Exists}]
  containers:
    - name: one
      image: i
      resources: &shared
        requests:
          nvidia.com/gpu: 1
    - name: two
      image: i
      resources: *shared
    - name: three
      image: i
      resources:
        requests:
          nvidia.com/gpu: 1
"""


def test_what_cannot_be_edited_is_left_alone_and_named(lint):
    lint.write("a.yaml", ANCHORED)
    lint.write("b.yaml")
    result = lint(".", "--fix")
    assert result.code == 1
    assert "a.yaml:" in result.err
    assert "not changed: GPU001: " in result.err
    assert "limits" in lint.read("b.yaml")
    fixed = lint.read("a.yaml")
    assert fixed.startswith(ANCHORED[: ANCHORED.index("    - name: three")])
    assert fixed.count("limits") == 1


def test_an_editor_that_refuses_everything_leaves_the_file(lint, monkeypatch):
    def refuse(*_):
        raise EditRefusedError("not today", 3)

    monkeypatch.setattr(fixes, "edit", refuse)
    lint.write("a.yaml")
    result = lint("a.yaml", "--fix")
    assert result.code == 1
    assert "a.yaml:3:1: notice: not changed: GPU001: not today" in result.err
    assert lint.read("a.yaml") == POD


def test_a_file_that_changes_meanwhile_is_not_overwritten(lint, monkeypatch):
    real = fixes.write_atomically

    def change_first(path, data, read):
        lint.write("a.yaml", POD + "# mine\n")
        real(path, data, read)

    monkeypatch.setattr(fixes, "write_atomically", change_first)
    lint.write("a.yaml")
    result = lint("a.yaml", "--fix")
    assert result.code == 2
    assert "changed" in result.err
    assert lint.read("a.yaml") == POD + "# mine\n"


def test_a_link_stays_a_link(lint):
    lint.write("sub/a.yml")
    (lint.folder / "link.yaml").symlink_to("sub/a.yml")
    lint("link.yaml", "--fix")
    assert (lint.folder / "link.yaml").is_symlink()
    assert "limits" in lint.read("sub/a.yml")


def test_standard_input_goes_to_standard_output_and_the_report_aside(lint):
    result = lint("-", "--fix", "-f", "concise", stdin=POD.replace("gpu: 1", "gpu: 1.5"))
    assert result.code == 1
    assert result.out.startswith("apiVersion: v1\n")
    assert "GPU003" in result.err
    assert "GPU003" not in result.out
    assert lint("-", "--fix", stdin=CLEAN).out == CLEAN
    assert lint("-", "--fix", stdin="a: [").out == "a: ["


class TestDiff:
    def test_a_patch_and_nothing_else(self, lint):
        lint.write("a.yaml")
        result = lint("a.yaml", "--diff")
        assert result.code == 1
        assert "+        limits:\n" in result.out
        assert "Would fix 1 finding in 1 file" in result.err
        assert lint.read("a.yaml") == POD

    def test_nothing_to_change(self, lint):
        lint.write("a.yaml", CLEAN)
        assert lint("a.yaml", "--diff").code == 0
        assert lint("a.yaml", "--diff").out == ""

    def test_errors_weigh_more(self, lint):
        lint.write("a.yaml")
        lint.write("b.yaml", "a: [  # gpu")
        assert lint(".", "--diff").code == 2

    def test_diff_with_fix_writes_nothing(self, lint):
        lint.write("a.yaml")
        assert lint("a.yaml", "--diff", "--fix").code == 1
        assert lint.read("a.yaml") == POD

    @pytest.mark.parametrize("start", [".", "sub"])
    def test_git_takes_the_patch(self, lint, monkeypatch, start):
        names = ["sub/a.yaml", "sub/with space.yaml", "sub/deeper/c\N{LATIN SMALL LETTER E WITH ACUTE}.yaml"]
        contents = [POD.replace("\n", "\r\n"), POD.rstrip("\n"), "\ufeff" + POD]
        for name, content in zip(names, contents, strict=True):
            lint.write(name, content)
        subprocess.run(["git", "init", "-q", lint.folder], check=True)
        monkeypatch.chdir(lint.folder / start)
        patch = lint(".", "--diff").out
        (lint.folder / "changes.patch").write_bytes(patch.encode())
        subprocess.run(["git", "apply", lint.folder / "changes.patch"], cwd=lint.folder / start, check=True)
        applied = [lint.read(name) for name in names]
        for name, content in zip(names, contents, strict=True):
            lint.write(name, content)
        lint(".", "--fix")
        assert applied == [lint.read(name) for name in names]
        assert applied != contents


def test_a_folder_that_cannot_be_written(lint, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(fixes, "write_atomically", refuse)
    lint.write("a.yaml")
    result = lint("a.yaml", "--fix")
    assert result.code == 2
    assert "a.yaml: error: cannot be written: Permission denied" in result.err
    assert "GPU001" in result.out


def test_many_repairs_of_one_document_are_made_together(lint, monkeypatch):
    from gpu_admission.yamledit import edit

    container = "    - name: c{}\n      image: i\n      resources:\n        requests:\n          nvidia.com/gpu: 1\n"
    head = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
    lint.write("a.yaml", head + "".join(container.format(number) for number in range(120)))
    readings = []
    read = edit.read
    monkeypatch.setattr(edit, "read", lambda *args, **more: readings.append(1) or read(*args, **more))
    assert lint("a.yaml", "--fix").code == 0
    assert len(readings) < 20  # not two for each of 240 operations: that would be quadratic
