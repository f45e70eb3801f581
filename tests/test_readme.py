"""What the README claims of the product is counted, not remembered."""

import re
from pathlib import Path

from gpu_admission import rules
from gpu_admission.policyfile import loader
from gpu_admission.workloads import kinds

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_number_of_kinds():
    (said,) = re.findall(r"the pods of (\d+) kinds", README)
    assert int(said) == kinds.COUNT, "README.md counts the kinds of workloads/kinds.py"


def test_what_strict_does_not_refuse_although_default_warns_of_it():
    default, strict = loader.load("default"), loader.load("strict")
    gentle = {
        rule.id
        for rule in rules.ALL
        if default.action(rule, rule.severity) == "warn" and strict.action(rule, rule.severity) != "deny"
    }
    (said,) = re.findall(r"`strict` refuses\s+what\s+default\s+warns\s+of,\s+but\s+for (.*?), which", README, re.DOTALL)
    assert set(re.findall(r"GPU\d+", said)) == gentle
    (said,) = re.findall(r"\(but for (.*?), which", loader.source("strict"))
    assert set(re.findall(r"GPU\d+", said)) == gentle
