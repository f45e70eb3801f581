"""Warnings as kubectl shows them: what is wrong and what to write instead, within a line."""

import fast_yaml
import pytest

from gpu_admission import rules
from gpu_admission.core.finding import Finding, ObjectRef, Problem, extended
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.webhook.review import messages
from gpu_admission.webhook.review.decide import Decision

REF = ObjectRef("v1", "Pod", None, "p")


def warned(message, advice="", rule="GPU106"):
    problem = Problem(("spec",), message, advice)
    finding = Finding(
        rule=rule,
        name="n",
        severity="warning",
        action="warn",
        message=problem.message,
        advice=problem.advice,
        summary=problem.summary,
        remedy=problem.remedy,
        pointer=("spec",),
        container=None,
        ref=REF,
        fix=None,
    )
    return messages.warnings(Decision([(finding, "warn")]))[0]


UNIT = 'container "train" requests aliyun.com/gpu-mem: "8192", that is 8192 GiB'
GPUS = 'container "train" requests nvidia.com/gpus: "2"'
LONG = 'container "train" requests nvidia.com/gpu: "1" and nvidia.com/gpumem: "3000", and the annotation x is none'
FITS = [
    ("a short one is said whole", "a is b", "write c", "GPU106 a is b; write c"),
    (
        "so is one in parts",
        ("a is b", ", which is not d"),
        ("write c", " (or e)"),
        "GPU106 a is b, which is not d; write c (or e)",
    ),
    (
        "the remedy goes before the reason",
        (UNIT, ": aliyun.com/gpu-mem counts GiB here; did you mean 8?"),
        ("write aliyun.com/gpu-mem: 8", ", or whatever the process needs in GiB"),
        f"GPU106 {UNIT}; write aliyun.com/gpu-mem: 8",
    ),
    (
        "all of the remedy goes before the reason",
        (GPUS, ", a resource that no device plugin is known to offer"),
        ("write nvidia.com/gpu", " instead (mind the missing s)"),
        f"GPU106 {GPUS}; write nvidia.com/gpu instead (mind the missing s)",
    ),
    (
        "the reason goes before the rest of the remedy",
        (GPUS, ", which no plugin offers"),
        ("write nvidia.com/gpu", " instead (a cluster that does offer the other name lists it in its policy)"),
        f"GPU106 {GPUS}, which no plugin offers; write nvidia.com/gpu",
    ),
    (
        "a sentence without parts is not cut, and a remedy longer than a line is better than none",
        LONG,
        "write hami.io/gpu-scheduler-policy: binpack, or spread",
        f"GPU106 {LONG}; write hami.io/gpu-scheduler-policy: binpack, or spread",
    ),
    ("the reason is kept where no remedy fits", (LONG, ", as it is said"), "x" * 250, f"GPU106 {LONG}, as it is said"),
]


@pytest.mark.parametrize(("message", "advice", "output"), [each[1:] for each in FITS], ids=[each[0] for each in FITS])
def test_within_a_line(message, advice, output):
    assert warned(message, advice) == output
    assert len(output) <= messages.LONGEST_WARNING


@pytest.mark.parametrize(
    "message", ["x" * 1000, '"' + "a, " * 400, ("\n\x00é; " * 300, "b"), "", ("a", "b" * 1000), ("a" * 300, "")]
)
@pytest.mark.parametrize("advice", ["", "y" * 1000, ("b; " * 400, "c"), ("d", "e" * 1000)])
def test_never_longer_than_the_api_server_keeps(message, advice):
    output = warned(message, advice)
    assert len(output) <= messages.LONGEST_WARNING
    assert output.isprintable()
    assert output.startswith("GPU106 ")


def test_a_sentence_is_extended_by_what_need_not_be_read():
    problem = Problem((), extended("a", "; b"), extended(("c", ", d"), "; e"))
    assert (problem.message, problem.summary) == ("a; b", "a")
    assert (problem.advice, problem.remedy) == ("c, d; e", "c")


ACROSS_DOCUMENTS = {"GPU404", "GPU415", "GPU417"}  # found in one document by what another one holds


def findings_of_examples():
    for rule in rules.ALL:
        engine = Engine(rules.ALL, Policy("examples", rule.policy).selecting(frozenset({rule.id})))
        for document in fast_yaml.load_all(rule.bad):
            yield from engine.validate(document)


def test_what_must_be_read_of_a_sentence_stands_by_itself():
    found = list(findings_of_examples())
    assert {finding.rule for finding in found} == {rule.id for rule in rules.ALL} - ACROSS_DOCUMENTS
    for finding in found:
        for part, sentence in ((finding.summary, finding.message), (finding.remedy, finding.advice)):
            assert part
            assert sentence.startswith(part)
            assert part == part.strip(" ,;.(")
            assert part.count('"') % 2 == 0, part
            assert all(part.count(opening) == part.count(closing) for opening, closing in ("()", "[]", "{}")), part


def test_warnings_say_what_to_write_instead():
    found = list(findings_of_examples())
    for finding in found:
        (output,) = messages.warnings(Decision([(finding, "warn")]))
        assert f"; {finding.remedy}" in output
    short = [finding for finding in found if len(messages.warnings(Decision([(finding, "warn")]))[0]) <= 120]
    assert len(short) > len(found) * 2 / 3
