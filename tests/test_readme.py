"""What the README claims of the product is counted, not remembered."""

import json
import re
from pathlib import Path

import fast_yaml
import pytest
from reviews import review

from gpu_admission import rules
from gpu_admission.commands import lint
from gpu_admission.commands.main import main
from gpu_admission.policyfile import loader
from gpu_admission.workloads import kinds

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_number_of_kinds():
    (text,) = re.findall(r"the pods of (\d+) kinds", README)
    assert int(text) == kinds.COUNT, "README.md counts the kinds of workloads/kinds.py"


def test_what_strict_does_not_refuse_although_default_warns_of_it():
    default, strict = loader.load("default"), loader.load("strict")
    gentle = {
        rule.id
        for rule in rules.ALL
        if default.action(rule, rule.severity) == "warn" and strict.action(rule, rule.severity) != "deny"
    }
    (text,) = re.findall(r"`strict` refuses\s+what\s+default\s+warns\s+about,\s+except (.*?), which", README, re.DOTALL)
    assert set(re.findall(r"GPU\d+", text)) == gentle
    (text,) = re.findall(r"^# (GPU.*?) still warn", loader.source("strict"), re.MULTILINE)
    assert set(re.findall(r"GPU\d+", text)) == gentle


SHOWN = re.findall(r"^```\n\$ gpu-lint (.*)\n((?:.*\n)*?)```$", README, re.MULTILINE)


def test_some_commands_are_shown():
    assert len(SHOWN) == 2


@pytest.mark.parametrize(("arguments", "output"), SHOWN)
def test_what_gpu_lint_is_shown_to_print(arguments, output, capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    lint.main(arguments.split())
    assert capfd.readouterr().out == output


def test_what_kubectl_is_shown_to_print(tmp_path, capsys):
    """The message is wrapped in README.md: spaces and line ends count alike."""
    ((path, shown),) = re.findall(r"\$ kubectl apply -f (\S+)\n[^:]*: [^:]*: (.*?)```", README, re.DOTALL)
    sent = tmp_path / "review.json"
    sent.write_text(json.dumps(review(fast_yaml.load((ROOT / path).read_text()))))
    main(["review", str(sent)])
    response = json.loads(capsys.readouterr().out)["response"]
    assert " ".join(shown.split()) == response["status"]["message"]
