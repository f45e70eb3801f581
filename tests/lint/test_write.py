"""Writing edited files back, and the patches that show what would change."""

import os
import shutil
import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_admission.lint.write import unified_diff
from gpu_admission.safe_files import FileChangedError, write_atomically


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"old")
    return path


def test_the_new_bytes_take_the_place_of_the_old(file):
    write_atomically(str(file), b"new\r\n", b"old")
    assert file.read_bytes() == b"new\r\n"
    assert os.listdir(file.parent) == ["a.yaml"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o444])
def test_permissions_stay(file, mode):
    file.chmod(mode)
    write_atomically(str(file), b"new", b"old")
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_symbolic_link_stays_one_and_its_target_is_written(file, tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link.yaml"
    link.symlink_to("../a.yaml")
    write_atomically(str(link), b"new", b"old")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert os.listdir(tmp_path / "folder") == ["link.yaml"]


def test_a_file_that_changed_meanwhile_is_left_alone(file):
    with pytest.raises(FileChangedError, match="changed since it was read"):
        write_atomically(str(file), b"new", b"older")
    assert file.read_bytes() == b"old"


def test_a_file_that_went_away_is_not_made_again(file):
    file.unlink()
    with pytest.raises(FileNotFoundError):
        write_atomically(str(file), b"new", b"old")
    assert os.listdir(file.parent) == []


def test_a_failure_leaves_the_file_and_no_litter(file, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(str(file), b"new", b"old")
    assert file.read_bytes() == b"old"
    assert os.listdir(file.parent) == ["a.yaml"]


def test_a_patch_looks_like_those_of_git():
    assert unified_diff(b"a\nb\n", b"a\nc\n", "x/y.yaml").decode() == (
        "diff --git a/x/y.yaml b/x/y.yaml\n--- a/x/y.yaml\n+++ b/x/y.yaml\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    )
    assert unified_diff(b"a", b"a", "x") == b""


def test_a_missing_last_line_break_is_marked():
    assert unified_diff(b"a", b"a\n", "x").endswith(b"-a\n\\ No newline at end of file\n+a\n")
    assert unified_diff(b"a\n", b"b", "x").endswith(b"-a\n+b\n\\ No newline at end of file\n")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a b.yaml", b"+++ b/a b.yaml\t\n"),
        ("\u00e9.yaml", b'+++ "b/\\303\\251.yaml"\n'),
        ('q"\\\n.yaml', b'+++ "b/q\\"\\\\\\n.yaml"\n'),
        ("/abs/a.yaml", b"+++ b/abs/a.yaml\n"),
    ],
)
def test_paths_are_quoted_as_git_quotes_them(path, line):
    assert line in unified_diff(b"a", b"b", path)


pieces = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"\n", b"c\r\n", b"x\ry\n", b"\xff\n", b"\xe2\x80\xa8\n", b"@@\n", b"--- a\n"]),
    max_size=12,
)
contents = st.tuples(pieces, st.sampled_from([b"", b"end", b"\r"])).map(lambda parts: b"".join(parts[0]) + parts[1])


@pytest.mark.skipif(not shutil.which("git"), reason="git is what judges")
@settings(max_examples=40, deadline=None)
@given(
    contents.filter(bool), contents.filter(bool), st.sampled_from(["a.yaml", "d/a b.yaml", "\u00e9.yaml", 'q"\\.yaml'])
)
def test_git_takes_every_patch(tmp_path_factory, old, new, path):
    folder = tmp_path_factory.mktemp("repository")
    file = folder / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(old)
    patch = unified_diff(old, new, path)
    if patch:
        subprocess.run(["git", "apply", "-p1", "--whitespace=nowarn", "-"], input=patch, cwd=folder, check=True)
    assert file.read_bytes() == new


@pytest.mark.skipif(not shutil.which("patch"), reason="GNU patch is what judges")
@pytest.mark.parametrize("new", [b"a\nb", b"a\r\nb\n", b"a\n\xff\n", b"x\n" * 30])
def test_so_does_gnu_patch(tmp_path, new):
    (tmp_path / "a b.yaml").write_bytes(b"a\nb\n")
    subprocess.run(
        ["patch", "-p1", "--binary"], input=unified_diff(b"a\nb\n", new, "a b.yaml"), cwd=tmp_path, check=True
    )
    assert (tmp_path / "a b.yaml").read_bytes() == new
