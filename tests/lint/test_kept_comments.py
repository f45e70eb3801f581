"""No comment of the author's is lost by a repair: it moves with its pair, or stays where that was."""

import pytest

HEAD = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  tolerations: [{key: nvidia.com/gpu, operator: Exists}]
  containers:
    - name: c
      image: x/y:1
"""
MOVED = """\
      resources:
        requests:
          cpu: 1
          # one A100, see ticket 12
          nvidia.com/gpu: 1   # shared with nobody
        limits:
          cpu: 2
"""
ONLY = """\
      resources:
        # head comment of requests
        requests:   # tail
          # the only one
          nvidia.com/gpu: 1   # only
          # after
"""
COMMENTED_OUT = """\
      resources:
        limits:
          nvidia.com/gpu: "1"
        requests:
          # cpu: "10"      enable on the big nodes
          # memory: 40Gi
          nvidia.com/gpu: "1"
"""
SUPPRESSED = """\
      resources:
        requests:
          nvidia.com/gpu: 0   # gpu-lint: ignore[GPU006] - the overlay fills it in
          memory: 1Gi
"""
MISPLACED = """\
      resources:
        limits:
          nvidia.com/gpu: 2 # two
      nvidia.com/gpumem: 3000 # 3000 MiB each
"""
QUOTED = """\
      args: ["# no comment", '# nor this']  # but this
      command:
        - |
          # a script
      resources:
        requests:
          nvidia.com/gpu: 1 # and this
"""
BODIES = {name.lower(): body for name, body in list(globals().items()) if name.isupper() and isinstance(body, str)}
del BODIES["head"]


def fixed(lint, body, *argv):
    lint.write("a.yaml", HEAD + body)
    lint("a.yaml", "--fix", "--min-severity", "info", *argv)
    return lint.read("a.yaml")


@pytest.mark.parametrize("argv", [[], ["--unsafe-fixes"], ["-p", "hami"], ["-p", "default"]], ids=" ".join)
@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_every_comment_is_still_there(lint, name, argv, newline):
    body = BODIES[name].replace("\n", newline)
    after = fixed(lint, body, *argv)
    for line in body.splitlines():
        _, mark, comment = line.partition("# ")
        if mark:
            assert comment in after
            assert after.count(comment) <= (HEAD + body).count(comment) + ("gpu-lint" in comment)


def test_comments_move_with_their_pair(lint):
    after = fixed(lint, MOVED)
    limits = after.partition("limits:\n")[2]
    assert limits == (
        "          cpu: 2\n          # one A100, see ticket 12\n          nvidia.com/gpu: 1  # shared with nobody\n"
    )


def test_so_they_do_where_the_mapping_around_goes(lint):
    assert "        limits:\n          # the only one\n          nvidia.com/gpu: 1  # only\n" in fixed(lint, ONLY)


def test_lines_that_are_commented_out_stay(lint):
    assert fixed(lint, COMMENTED_OUT).endswith(
        '          nvidia.com/gpu: "1"\n        # cpu: "10"      enable on the big nodes\n        # memory: 40Gi\n'
    )


def test_a_suppression_survives(lint):
    lint.write("a.yaml", HEAD + SUPPRESSED)
    assert "GPU006" not in lint.json("a.yaml", "-p", "default").rules
    after = fixed(lint, SUPPRESSED, "-p", "default")
    assert "nvidia.com/gpu: 0  # gpu-lint: ignore[GPU006] - the overlay fills it in" in after
    assert lint("a.yaml", "-p", "default").code == 0
    assert lint.json("a.yaml", "-p", "default").rules == []


def test_a_suppression_is_copied_with_a_pair_that_is(lint):
    lint.write("a.yaml", HEAD + SUPPRESSED)
    lint("a.yaml", "--fix", "-p", "default")  # GPU001 copies the request, GPU005 is no more than an info
    assert lint.read("a.yaml").count("ignore[GPU006]") == 2
    assert lint.json("a.yaml", "-p", "default").rules == []
