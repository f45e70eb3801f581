"""Which files are read, and which are left out."""

import os
import subprocess

import pytest

from .conftest import POD


def files(lint, *argv):
    return lint("--show-files", *argv).out.splitlines()


class TestGitignore:
    @pytest.mark.parametrize(
        ("ignored", "remaining"),
        [
            ("*.yml\n", ["a.yaml", "build/d.yaml", "sub/build/e.yaml", "sub/c.yaml"]),
            ("build/\n", ["a.yaml", "b.yml", "sub/c.yaml"]),
            ("/build\n", ["a.yaml", "b.yml", "sub/build/e.yaml", "sub/c.yaml"]),
            ("sub/build\n", ["a.yaml", "b.yml", "build/d.yaml", "sub/c.yaml"]),
            ("*\n!a.yaml\n", ["a.yaml"]),
            ("*\n!*/\n!*.yml\n", ["b.yml"]),
            ("sub/*\n!sub/c.yaml\n", ["a.yaml", "b.yml", "build/d.yaml", "sub/c.yaml"]),
            ("**/build/**\n", ["a.yaml", "b.yml", "sub/c.yaml"]),
            ("sub/**/e.yaml\n", ["a.yaml", "b.yml", "build/d.yaml", "sub/c.yaml"]),
            ("[ab].*\n", ["build/d.yaml", "sub/build/e.yaml", "sub/c.yaml"]),
            ("[!ab].yaml\n", ["a.yaml", "b.yml"]),
            ("?.yaml\n", ["b.yml"]),
            ("# a.yaml\n\\#\n\n   \n", ["a.yaml", "b.yml", "build/d.yaml", "sub/build/e.yaml", "sub/c.yaml"]),
            ("a.yaml   \n", ["b.yml", "build/d.yaml", "sub/build/e.yaml", "sub/c.yaml"]),
            ("[a\n[z-a]\n", ["a.yaml", "b.yml", "build/d.yaml", "sub/build/e.yaml", "sub/c.yaml"]),
            ("[[:alpha:]].yml\r\n", ["a.yaml", "build/d.yaml", "sub/build/e.yaml", "sub/c.yaml"]),
        ],
    )
    def test_patterns_mean_what_git_says(self, lint, ignored, remaining):
        for name in ("a.yaml", "b.yml", "build/d.yaml", "sub/c.yaml", "sub/build/e.yaml"):
            lint.write(name)
        lint.write(".gitignore", ignored)
        assert files(lint) == remaining
        assert len(files(lint, "--no-ignore")) == 5
        assert remaining == self.git(lint)

    def git(self, lint):
        """What git itself would list."""
        subprocess.run(["git", "init", "-q"], cwd=lint.folder, check=True)
        command = ["git", "ls-files", "-oc", "--exclude-standard", "*.yaml", "*.yml"]
        listed = subprocess.run(command, cwd=lint.folder, check=True, capture_output=True)
        return sorted(listed.stdout.decode().split())

    def test_nested_files_add_and_take_back(self, lint):
        for name in ("a.yaml", "sub/a.yaml", "sub/deep/a.yaml"):
            lint.write(name)
        lint.write(".gitignore", "a.yaml\n")
        lint.write("sub/.gitignore", "!a.yaml\n")
        assert files(lint) == ["sub/a.yaml", "sub/deep/a.yaml"] == self.git(lint)

    def test_the_files_above_hold_up_to_the_root_of_the_repository(self, lint):
        lint.write("outside/.gitignore", "*.yaml\n")
        (lint.folder / "outside/repo/.git/info").mkdir(parents=True)
        lint.write("outside/repo/.git/info/exclude", "c.yaml\n")
        lint.write("outside/repo/.gitignore", "b.yaml\n")
        for name in ("a.yaml", "b.yaml", "c.yaml"):
            lint.write(f"outside/repo/sub/{name}")
        assert files(lint, "outside/repo/sub") == ["outside/repo/sub/a.yaml"]

    def test_what_is_named_is_read_though_git_ignores_it(self, lint):
        lint.write("a.yaml")
        lint.write(".gitignore", "a.yaml\n")
        assert files(lint, "a.yaml") == ["a.yaml"]

    def test_an_ignore_file_that_is_a_fifo_or_a_device_never_makes_it_wait(self, lint):
        lint.write("a.yaml")
        os.mkfifo(lint.folder / ".gitignore")
        assert files(lint) == ["a.yaml"]
        lint.write("sub/b.yaml")
        (lint.folder / "sub/.gitignore").symlink_to("/dev/zero")
        assert files(lint) == ["a.yaml", "sub/b.yaml"]

    def test_the_repository_itself_is_not_read(self, lint):
        lint.write(".git/hooks/a.yaml")
        lint.write(".github/b.yaml")
        assert files(lint) == [".github/b.yaml"]


@pytest.mark.parametrize(
    ("glob", "remaining"),
    [
        ("*.yml", ["a.yaml", "sub/c.yaml", "vendor/d.yaml"]),
        ("vendor", ["a.yaml", "b.yml", "sub/c.yaml"]),
        ("vendor/", ["a.yaml", "b.yml", "sub/c.yaml"]),
        ("vendor/**", ["a.yaml", "b.yml", "sub/c.yaml"]),
        ("sub/c.yaml", ["a.yaml", "b.yml", "vendor/d.yaml"]),
        ("/c.yaml", ["a.yaml", "b.yml", "sub/c.yaml", "vendor/d.yaml"]),
    ],
)
def test_exclude(lint, glob, remaining):
    for name in ("a.yaml", "b.yml", "sub/c.yaml", "vendor/d.yaml"):
        lint.write(name)
    assert files(lint, "--exclude", glob) == remaining
    assert files(lint, "--exclude", glob, *remaining, "b.yml", "vendor/d.yaml", "sub/c.yaml", "a.yaml") == remaining


def test_a_file_is_read_once_however_often_it_is_named(lint):
    lint.write("sub/a.yaml")
    (lint.folder / "link.yaml").symlink_to("sub/a.yaml")
    (lint.folder / "again").symlink_to("sub")
    assert len(files(lint, "sub/a.yaml", "./sub/a.yaml", "sub", ".", "link.yaml", lint.folder / "sub/a.yaml")) == 1


def test_links_to_directories_are_followed_and_circles_named(lint, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "a.yaml").write_text(POD)
    (lint.folder / "linked").symlink_to(other)
    (lint.folder / "sub").mkdir()
    (lint.folder / "sub/up").symlink_to("..")
    result = lint.json(".")
    assert [f["file"] for f in result.json["findings"]] == ["linked/a.yaml"]
    assert result.code == 2
    assert [e["file"] for e in result.json["errors"]] == ["sub/up"]
    assert "symbolic link loop" in result.err
