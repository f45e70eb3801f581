"""Audit and inspect on a terminal: colours, widths, NO_COLOR; plain text in a pipe."""

import io
import re
import types

import pytest
import terminals
from audit.conftest import api, config  # noqa: F401 - the stand-in and the kubeconfig that leads to it
from audit_objects import NAILED, managed, pod, spec
from inventory.clusters import GPUSHARE, collected
from rich.cells import cell_len

from gpu_admission.audit.judge import Judged
from gpu_admission.audit.owners import Owner
from gpu_admission.audit.result import AuditResult
from gpu_admission.commands import audit_progress, audit_terminal, cluster_progress, inspect_terminal, terminal
from gpu_admission.core.finding import Finding, ObjectRef
from gpu_admission.inventory import tables

PODS = "/api/v1/pods"
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


@pytest.fixture
def filled(api):  # noqa: F811
    api.lists[PODS] += [
        pod("nailed", NAILED, managedFields=managed("nodeName")),
        pod("warned", spec(securityContext={"privileged": True})),
        pod("with-a-name-so-long-that-no-terminal-has-room-for-it-" + "x" * 60),
    ]
    return api


@pytest.fixture
def audit(filled, config):  # noqa: F811
    return lambda *argv, **rest: terminals.run("audit", "--kubeconfig", config, "-A", *argv, **rest)


def test_colours_by_what_admission_would_do(audit):
    code, text, _ = audit()
    assert code == 1
    assert "\x1b[1;31mdeny" in text
    assert "\x1b[1;33mwarn" in text
    assert "GPU203 node-name" in ANSI.sub("", text)
    assert "Policy default would" in ANSI.sub("", text)


@pytest.mark.parametrize(("argv", "env"), [((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"}), (("--color", "never"), {})])
def test_no_colours_where_they_are_not_wanted(audit, argv, env):
    _, text, _ = audit(*argv, env=env)
    assert "nailed" in text
    assert not COLOUR.search(text)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_cut_off(audit, columns):
    _, text, _ = audit(columns=columns, terminal=("stdout",))  # a slow machine has progress on standard error
    lines = ANSI.sub("", text).split("\r\n")
    table = lines[: next(number for number, line in enumerate(lines) if line.startswith("What to write"))]
    assert max(map(cell_len, table)) <= columns
    arguments = re.sub(r"\W", "", "".join(table))
    assert re.sub(r"\W", "", "x" * 60) in arguments or columns < 200
    assert "…" not in text


def test_a_pipe_gets_plain_text_and_the_terminal_nothing(audit):
    code, shown, piped = audit(terminal=("stderr",))
    assert (code, screen(shown)) == (1, [""])  # progress, where the machine is slow, was taken away
    assert piped.splitlines()[0].split() == ["NAMESPACE", "OWNER", "PODS", "ADMISSION", "RULE", "FINDING"]
    assert "\x1b" not in piped


def test_inspect_on_a_terminal(filled, config):  # noqa: F811
    filled.serve("", "v1", "nodes", "Node", namespaced=False, objects=GPUSHARE["nodes"])
    filled.lists[PODS][:] = GPUSHARE["pods"]
    arguments = ("inspect", "--kubeconfig", config)
    code, text, _ = terminals.run(*arguments)
    assert code == 0
    assert "cn-1" in text
    assert "\x1b" in text
    assert not COLOUR.search(terminals.run(*arguments, env={"NO_COLOR": "1"})[1])
    assert "\x1b" not in terminals.run(*arguments, terminal=("stderr",))[2]


def printed(show, *args, width=160):
    console = terminal.console("never")
    console.file, console.width = io.StringIO(), width
    show(*args, console)
    return console.file.getvalue()


def test_inspect_shows_the_same_cells():
    text = printed(inspect_terminal.show, tables.tables(collected(GPUSHARE), wide=True))
    assert all(cell in text for cell in ("cn-1", "3/15", "7/15", "10/30", "12/45 (26%)"))
    assert "No node offers a GPU" in printed(inspect_terminal.show, [])


HOSTILE = "[red]x[/red] \x1b[31m\x1b]0;title\x07\n[link=http://x]y[/link]"


def row(result, owner, message="m", consequence="deny"):
    finding = Finding(
        rule="GPU203",
        name="node-name",
        severity="error",
        action="deny",
        message=message,
        advice="a",
        pointer="/spec",
        container=None,
        ref=ObjectRef("v1", "Pod", "team", owner),
    )
    result.add(Owner("v1", "Pod", "team", owner), "Pod", [Judged(finding, consequence)], registered=True)


@pytest.fixture
def found():
    return AuditResult(cluster="c", policy="p", mode="enforce", namespace=None)


def test_what_comes_from_a_cluster_is_text_and_never_markup(found):
    row(found, HOSTILE, HOSTILE)
    text = printed(audit_terminal.show, found)
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


class Terminal(io.StringIO):
    """Standard error of a terminal; of unknown width, as it has no file."""

    def isatty(self):
        return True


@pytest.fixture
def line(monkeypatch):
    """A progress line that draws at once, and what it drew."""
    monkeypatch.setattr(cluster_progress, "sys", types.SimpleNamespace(stderr=Terminal()))
    monkeypatch.setattr(cluster_progress, "_PATIENCE", 0.0)
    monkeypatch.setattr(cluster_progress, "_PACE", 0.0)
    monkeypatch.setattr(cluster_progress, "_SHARE", 0)

    class Connection:
        on_wait = None

    return cluster_progress.ProgressLine(Connection())


def written():
    return cluster_progress.sys.stderr.getvalue()


def screen(text):
    """What a terminal shows after a text: a little of what terminals do."""
    lines, at = [""], 0
    for part in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\n":
            at += 1
            lines += [""] * (at + 1 - len(lines))
        elif part == "\r":
            pass  # what follows starts the line anew
        elif part.startswith("\x1b") and part.endswith("A"):
            at -= int(part[2:-1])
        elif part.startswith("\x1b") and part.endswith("J"):
            lines = [*lines[:at], ""]
        else:
            lines[at] = part
    return lines


def test_the_first_denials_are_shown_before_all_is_known(line, found):
    audit_progress.show(line, "pods", found, 1000)
    assert screen(written()) == ["pods: 0 objects, 1,000 to come; no findings so far"]
    for number in range(8):
        row(found, f"p{number}", consequence="deny" if number != 1 else "repair")
    found.objects = 12_500
    audit_progress.show(line, "pods", found, 0)
    shown = screen(written())
    assert shown[0] == "pods: 12,500 objects; would deny 7, repair 1 so far"
    assert [each.split()[2] for each in shown[1:]] == ["Pod/p0", "Pod/p2", "Pod/p3", "Pod/p4", "Pod/p5"]
    line.__exit__()
    assert screen(written()) == [""]


@pytest.mark.parametrize("message", ["x" * 500, "漢" * 300, HOSTILE * 20])
def test_a_line_of_progress_never_takes_two(line, found, message):
    """One that goes over the end of the terminal would not be taken away again."""
    row(found, "p", message)
    audit_progress.show(line, "pods", found, 0)
    shown = screen(written())
    assert len(shown) == 2
    assert all(cell_len(each) < 80 for each in shown)


def test_a_wait_is_told_on_a_line_of_its_own(line, found):
    audit_progress.show(line, "pods", found, 0)
    line._wait("waiting for 3 s\x1b[2J")
    assert screen(written())[0] == "waiting for 3 s\\x1b[2J"


def test_nothing_is_made_where_nobody_looks(monkeypatch, found):
    monkeypatch.setattr(cluster_progress, "sys", types.SimpleNamespace(stderr=io.StringIO()))
    line = cluster_progress.ProgressLine(type("Connection", (), {})())
    line.update(lambda: pytest.fail("made"))
    assert written() == ""
