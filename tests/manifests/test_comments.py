"""Suppression comments of the linter."""

import pytest

from gpu_admission.manifests.reader import read


def comments(text):
    return read(text.encode(), "a.yaml").comments


@pytest.mark.parametrize(
    ("text", "rules", "reason", "line", "applies_to"),
    [
        ("a: 1  # gpu-lint: ignore[GPU201]\n", ("GPU201",), "", 1, 1),
        (
            "a: 1 # gpu-lint: ignore[GPU201, GPU3] – runs on untainted nodes \n",
            ("GPU201", "GPU3"),
            "runs on untainted nodes",
            1,
            1,
        ),
        ("# gpu-lint: ignore[missing-toleration] - why\na: 1\n", ("missing-toleration",), "why", 1, 2),
        ("a:\n  #gpu-lint:ignore[GPU1]: why\n  # an explanation\n  b: 1\n", ("GPU1",), "why", 2, 4),
        ("a: | # gpu-lint: ignore[GPU1] in the header\n  text\n", ("GPU1",), "in the header", 1, 1),
        ("- # gpu-lint: ignore[GPU1]\n  a: 1\n", ("GPU1",), "", 1, 1),
        ("a: 1 # gpu-lint: ignore[GPU1] x\r\n", ("GPU1",), "x", 1, 1),
    ],
)
def test_a_suppression(text, rules, reason, line, applies_to):
    (comment,) = comments(text)
    assert comment.malformed is None
    assert (comment.rules, comment.reason, comment.line, comment.applies_to) == (rules, reason, line, applies_to)


def test_several_above_one_line():
    found = comments("# gpu-lint: ignore[GPU1] x\n# gpu-lint: ignore[GPU2] y\na: 1\n")
    assert [(comment.rules, comment.applies_to) for comment in found] == [(("GPU1",), 3), (("GPU2",), 3)]


@pytest.mark.parametrize(
    "text",
    [
        "# gpu-lint: ignroe[GPU201]\n",
        "# gpu-lint: ignore GPU201\n",
        "# gpu-lint: ignore[]\n",
        "# gpu-lint: ignore[ , ]\n",
        "# gpu-lint: ignore[GPU 201]\n",
        "# gpu-lint: disable[GPU201]\n",
        "# gpu-lint ignore[GPU201]\n",
        "# gpulint: ignore[GPU201]\n",
        "# GPU-Lint: ignore[GPU201]\n",
        "# gpu-lint:\n",
    ],
)
def test_a_misspelt_one_is_told(text):
    (comment,) = comments(text + "a: 1\n")
    assert comment.malformed


@pytest.mark.parametrize(
    "text",
    [
        "a: '# gpu-lint: ignore[GPU1]'\n",
        'a: "x\n\n  # gpu-lint: ignore[GPU1]"\n',
        "a: |\n  # gpu-lint: ignore[GPU1]\n  x\n",
        "a: >-\n\n    # gpu-lint: ignore[GPU1]\n",
        "a: x# gpu-lint: ignore[GPU1]\n",
        "# we run gpu-lint in CI\n# gpu-linter: x\na: 1\n",
        "a: b\n",
    ],
)
def test_what_is_no_comment_to_us(text):
    assert comments(text) == ()


def test_after_a_block_scalar_comments_are_comments_again():
    (comment,) = comments("a: |\n  # gpu-lint: ignore[GPU1]\n# gpu-lint: ignore[GPU2]\nb: 1\n")
    assert (comment.rules, comment.applies_to) == (("GPU2",), 4)


def test_of_all_documents():
    assert [
        comment.line for comment in comments("a: 1 # gpu-lint: ignore[GPU1]\n---\nb: 1 # gpu-lint: ignore[GPU1]\n")
    ] == [1, 3]


@pytest.mark.parametrize("data", [b"\xff", b"a: [", b'{"a": "# gpu-lint: ignore[GPU1]"}'])
def test_files_that_have_none(data):
    assert read(data, "a.json").comments == ()
