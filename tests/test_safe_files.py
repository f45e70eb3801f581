"""The one reader of small files and the one atomic write, with what may stand in their way."""

import os
import stat

import pytest

from gpu_admission.safe_files import SMALL_FILE, FileReadError, read_small_file, write_atomically


def test_a_file_is_read_through_links(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * SMALL_FILE)
    (tmp_path / "b").symlink_to("a")
    assert read_small_file(tmp_path / "b") == b"x" * SMALL_FILE
    assert read_small_file(str(tmp_path / "b"), SMALL_FILE) == b"x" * SMALL_FILE


def hostile(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "large").write_bytes(b"x" * (SMALL_FILE + 1))
    (tmp_path / "endless").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "fifo")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("loop", "a symbolic link loop"),
        ("dangling", "no such file or directory"),
        ("missing", "no such file or directory"),
        ("large", "larger than 1 MiB"),
        ("large/below", "not a directory"),
        ("endless", "not a regular file"),
        ("fifo", "not a regular file"),
        (".", "is a directory"),
        ("x" * 5000, "file name too long"),
        ("null\0byte", "not a valid path"),
    ],
)
def test_what_cannot_be_read_is_an_error_at_once(tmp_path, name, reason):
    hostile(tmp_path)
    with pytest.raises(FileReadError) as caught:
        read_small_file(os.path.join(tmp_path, name))
    assert str(caught.value) == reason


def test_a_new_file_has_the_mode_that_was_asked_for_or_that_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"1")
        write_atomically(tmp_path / "b", b"1", mode=0o644)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o640, 0o644]


def test_a_link_is_followed_or_replaced(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    write_atomically(tmp_path / "link", b"own", follow=False)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["link", "target"]


@pytest.mark.parametrize("place", ["folder", "missing/file", "file/below"])
def test_a_place_that_cannot_be_written_is_left_as_it_was(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / place, b"new")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
