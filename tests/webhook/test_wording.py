"""Warnings as kubectl shows them: what is wrong and what to write instead, within a line."""

import pytest

from gpu_admission.core.finding import Finding, ObjectRef
from gpu_admission.webhook.review import messages
from gpu_admission.webhook.review.decide import Decision

REF = ObjectRef("v1", "Pod", None, "p")


def warned(message, advice="", rule="GPU106"):
    finding = Finding(
        rule=rule,
        name="n",
        severity="warning",
        action="warn",
        message=message,
        advice=advice,
        pointer=("spec",),
        container=None,
        ref=REF,
        fix=None,
    )
    return messages.warnings(Decision([(finding, "warn")]))[0]


UNIT = 'container "train" requests aliyun.com/gpu-mem: "8192", that is 8192 GiB: aliyun.com/gpu-mem counts GiB here'
FITS = [
    ("a short one is said whole", "a is b", "write c", "GPU106 a is b; write c"),
    (
        "the remedy goes before the reason",
        f"{UNIT}; did you mean 8?",
        "write aliyun.com/gpu-mem: 8, or whatever the process needs in GiB",
        'GPU106 container "train" requests aliyun.com/gpu-mem: "8192", that is 8192 GiB; write aliyun.com/gpu-mem: 8',
    ),
    (
        "even where no reason is left",
        'container "train" requests nvidia.com/gpus: "2", a resource that no device plugin is known to offer',
        "write nvidia.com/gpu instead (a cluster that does offer the other name lists it in its policy)",
        'GPU106 container "train" requests nvidia.com/gpus: "2"; write nvidia.com/gpu instead',
    ),
    (
        "no part of a list is given as the remedy",
        'container "train" requests nvidia.com/mig-1g.11gb: "1", that is a profile that no card offers',
        "write one of nvidia.com/mig-1g.10gb, nvidia.com/mig-2g.20gb, nvidia.com/mig-7g.80gb",
        (
            'GPU106 container "train" requests nvidia.com/mig-1g.11gb: "1", that is a profile that no card offers; '
            "write one of nvidia.com/mig-1g.10gb, nvidia.com/mig-2g.20gb, nvidia.com/mig-7g.80gb"
        ),
    ),
    (
        "a remedy longer than a line is better than none",
        'container "train" requests nvidia.com/gpu: "1" and nvidia.com/gpumem: "3000", and the annotation x is none',
        "write hami.io/gpu-scheduler-policy: binpack, or spread",
        (
            'GPU106 container "train" requests nvidia.com/gpu: "1" and nvidia.com/gpumem: "3000", and the annotation x is '
            "none; write hami.io/gpu-scheduler-policy: binpack, or spread"
        ),
    ),
    (
        "the reason is kept where no remedy fits",
        'container "train" requests nvidia.com/gpu: "1" and nvidia.com/gpumem: "3000", and the annotation x is none',
        "x" * 250,
        (
            'GPU106 container "train" requests nvidia.com/gpu: "1" and nvidia.com/gpumem: "3000", and the annotation x is '
            "none"
        ),
    ),
    (
        "what the author wrote is not cut",
        'container "a, b; c: d" requests something that takes rather many words to be said, and for another',
        "x" * 200,
        'GPU106 container "a, b; c: d" requests something that takes rather many words to be said, and for another',
    ),
]


@pytest.mark.parametrize(("message", "advice", "said"), [each[1:] for each in FITS], ids=[each[0] for each in FITS])
def test_within_a_line(message, advice, said):
    assert warned(message, advice) == said
    assert len(said) <= messages.LONGEST_WARNING


@pytest.mark.parametrize("message", ["x" * 1000, '"' + "a, " * 400, "a, " * 400, "\n\x00é; " * 300, ""])
@pytest.mark.parametrize("advice", ["", "y" * 1000, "b; " * 400])
def test_never_longer_than_the_api_server_keeps(message, advice):
    said = warned(message, advice)
    assert len(said) <= messages.LONGEST_WARNING
    assert said.isprintable()
    assert said.startswith("GPU106 ")


def test_what_is_cut_ends_where_a_clause_does():
    said = warned("the pod asks, " + "and says more, " * 20 + "and ends", "write something else")
    assert len(said) <= messages.GOOD_WARNING
    assert said.endswith("; write something else")
