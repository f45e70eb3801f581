"""Claims over several inputs of one run, and inputs that mean harm."""

import pytest
from lint.conftest import Lint

from gpu_admission.commands.main import main
from gpu_admission.lint import parallel, run_index

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

TEMPLATE = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: %s}
spec:
  spec:
    devices:
      requests:
        - {name: gpu, exactly: {deviceClassName: %s}}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  resourceClaims: [{name: gpu, resourceClaimTemplateName: %s}]
  containers:
    - {name: c, image: x, resources: {claims: [{name: gpu, request: gpus}]}}
"""


@pytest.fixture
def lint(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    return Lint(tmp_path, monkeypatch, capfd)


def test_documents_of_one_run_are_read_together(lint):
    lint.write("a-pod.yaml", POD % "one")
    lint.write("b/template.yaml", TEMPLATE % ("one", "gpu.nvidia.com"))
    assert lint.json(".").rules == ["GPU404"]
    assert lint.json("a-pod.yaml").rules == []


def test_any_number_of_jobs_says_the_same(lint, monkeypatch):
    monkeypatch.setattr(parallel, "ENOUGH", 1)
    for number in range(6):
        lint.write(f"{number}.yaml", POD % f"t{number}")
        lint.write(f"t/{number}.yaml", TEMPLATE % (f"t{number}", "gpu.nvidia.com"))
    one, two = lint(".", "-f", "concise", "--jobs", "1"), lint(".", "-f", "concise", "--jobs", "2")
    assert one.out == two.out
    assert one.out.count("GPU404") == 6


def test_a_run_without_claims_reads_nothing_twice(lint, monkeypatch):
    reads = []
    read = run_index._documents
    monkeypatch.setattr(run_index, "_documents", lambda inputs, marks: reads.append(inputs) or read(inputs, marks))
    for number in range(5):
        lint.write(f"{number}.yaml")
    lint(".")
    assert reads == []
    lint.write("pod.yaml", POD % "one")
    lint(".")
    assert len(reads) == 1


CLASS = """\
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: %s}
spec:
  extendedResourceName: %s
  selectors: [{cel: {expression: 'device.driver == "%s"'}}]
"""
NAMED = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    - {name: c, image: x, resources: {limits: {%s: 500m}}}
"""


class TestAResourceThatAClassOfAnotherFileStandsFor:
    """A name that is a GPU's only by a DeviceClass in another file: no rule reads it otherwise."""

    @pytest.mark.parametrize("order", ["class first", "class last"])
    def test_it_is_a_gpu_wherever_the_class_stands(self, lint, order):
        pod, shape = ("b.yaml", "a.yaml") if order == "class first" else ("a.yaml", "b.yaml")
        lint.write(pod, NAMED % "example.com/card")
        lint.write("other.yaml", NAMED % "example.com/other")
        lint.write(shape, CLASS % ("fast", "example.com/card", "gpu.nvidia.com"))
        report = lint.json(".")
        assert report.rules == ["GPU003"]
        assert [each["file"] for each in report.json["findings"]] == [pod]
        assert report.json["summary"]["files"] == 3
        assert lint.json(pod).rules == []

    @pytest.mark.parametrize("command", ["mutate", "translate"])
    def test_by_the_other_commands_too(self, lint, command, capfd):
        lint.write("a.yaml", NAMED.replace("500m", "1").replace("limits", "requests") % "example.com/card")
        lint.write("b.yaml", CLASS % ("fast", "example.com/card", "gpu.nvidia.com"))
        wanted = {"mutate": [], "translate": ["--to", "hami"]}[command]
        main([command, *wanted, "a.yaml", "b.yaml"])
        out = capfd.readouterr()
        assert "limits: {" + ("example.com/card" if command == "mutate" else "nvidia.com/gpu") in out.out, out

    @pytest.mark.parametrize(("first", "second", "rules"), [
        ("gpu.nvidia.com", "gpu.nvidia.com", ["GPU003"]),
        ("gpu.nvidia.com", "dra.net", []),
        ("dra.net", "gpu.nvidia.com", []),
        ("gpu.nvidia.com", "gpu.amd.com", []),
    ])  # fmt: skip
    def test_classes_that_do_not_agree_tell_nothing(self, lint, first, second, rules):
        lint.write("pod.yaml", NAMED % "example.com/card")
        lint.write("a.yaml", CLASS % ("one", "example.com/card", first))
        lint.write("z.yaml", CLASS % ("two", "example.com/card", second))
        assert lint.json(".").rules == rules

    def test_the_class_of_the_same_file_counts_first(self, lint):
        lint.write(
            "pod.yaml", NAMED % "example.com/card" + "---\n" + CLASS % ("one", "example.com/card", "gpu.amd.com")
        )
        lint.write("z.yaml", CLASS % ("two", "example.com/card", "dra.net"))
        assert lint.json(".").rules == ["GPU003"]

    def test_any_number_of_jobs_says_the_same(self, lint, monkeypatch):
        monkeypatch.setattr(parallel, "ENOUGH", 1)
        for number in range(8):
            lint.write(f"{number}.yaml", NAMED % f"example.com/card{number}")
            lint.write(f"c/{number}.yaml", CLASS % (f"c{number}", f"example.com/card{number}", "gpu.nvidia.com"))
        one, two = lint(".", "-f", "json", "--jobs", "1"), lint(".", "-f", "json", "--jobs", "2")
        assert one.out == two.out
        assert one.out.count('"GPU003"') == 8

    def test_what_is_repaired_is_written_and_shown_in_the_order_of_the_files(self, lint):
        for name in ("a", "c"):
            lint.write(f"{name}.yaml", NAMED.replace("500m", "1").replace("limits", "requests") % "example.com/card")
        lint.write("b.yaml")
        lint.write("z.yaml", CLASS % ("fast", "example.com/card", "gpu.nvidia.com"))
        diff = lint(".", "--diff").out
        assert [line for line in diff.splitlines() if line.startswith("+++")] == [
            f"+++ b/{each}.yaml" for each in "abc"
        ]
        lint(".", "--fix")
        assert "limits" in lint.read("a.yaml")
        assert "limits" in lint.read("c.yaml")

    @pytest.mark.parametrize("name", ["'[]'", "{a: b}", "7", "null", "nvidia.com/gpu", "x" * 5000])
    def test_names_of_any_kind(self, lint, name):
        lint.write("pod.yaml", NAMED % "example.com/card")
        lint.write("class.yaml", CLASS % ("one", name, "gpu.nvidia.com"))
        assert lint(".").code == 0

    def test_many_classes_and_pods_take_linear_time_and_one_reading_more(self, lint, monkeypatch):
        reads = []
        read = run_index._documents
        monkeypatch.setattr(run_index, "_documents", lambda inputs, marks: reads.append(inputs) or read(inputs, marks))
        names = [f"example.com/card{number}" for number in range(500)]
        lint.write("z.yaml", "---\n".join(CLASS % (f"c{at}", name, "gpu.nvidia.com") for at, name in enumerate(names)))
        for number in range(30):
            lint.write(f"{number}.yaml", "---\n".join(NAMED % name for name in names[number::30]))
        assert lint.json(".", "--jobs", "1").rules == ["GPU003"] * 500
        assert len(reads) <= 3


def test_standard_input(lint):
    both = (TEMPLATE % ("one", "gpu.nvidia.com")) + "---\n" + (POD % "one")
    assert lint.json("-", stdin=both).rules == ["GPU404"]


def test_a_fix_keeps_every_other_byte(lint):
    text = TEMPLATE % ("one", "gpu.nvidia.com") + "---\n" + (POD % "one") + "# the end\n"
    lint.write("a.yaml", text)
    lint("a.yaml", "--fix", "--unsafe-fixes")
    assert lint.read("a.yaml") == text.replace("request: gpus", "request: gpu")


def test_a_broken_input_beside_it_is_told_once(lint):
    lint.write("a.yaml", POD % "one")
    lint.write("b.yaml", "kind: ResourceClaimTemplate\napiVersion: resource.k8s.io/v1\nspec: {\n")
    lint.write("c.yaml", TEMPLATE % ("one", "gpu.nvidia.com"))
    made = lint.json(".").json
    assert [each["rule"] for each in made["findings"]] == ["GPU404"]
    assert len(made["errors"]) == 1


HOSTILE = {
    "ten thousand entries": "["
    + ", ".join(f"{{name: c{n}, resourceClaimTemplateName: t{n}}}" for n in range(10_000))
    + "]",
    "one name ten thousand times": "[" + ", ".join(["{name: gpu, resourceClaimTemplateName: t}"] * 10_000) + "]",
    "names of wrong types": "[{name: 5, resourceClaimTemplateName: [1]}, {name: [x]}, {name: {a: b}}, 7, null, [[]]]",
    "an anchor within itself": "[&a {name: gpu, source: {resourceClaimTemplateName: {a: b}}}, *a, *a]",
}


@pytest.mark.parametrize("claims", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pods_are_answered(lint, claims):
    lint.write("a.yaml", POD.replace("[{name: gpu, resourceClaimTemplateName: %s}]", claims))
    made = lint("a.yaml", "-f", "json", "--min-severity", "info")
    assert made.code in {0, 1}
    assert "please report" not in made.out


def test_ten_thousand_uses_of_claims(lint):
    used = ", ".join(f"{{name: c{n}, request: r{n}}}" for n in range(10_000))
    lint.write("a.yaml", POD.replace("[{name: gpu, request: gpus}]", f"[{used}]") % "one")
    lint.write("t.yaml", TEMPLATE % ("one", "gpu.nvidia.com"))
    assert lint(".", "-f", "json").code == 1


def test_many_templates_take_bounded_memory(lint, monkeypatch):
    monkeypatch.setattr("gpu_admission.workloads.claim_index.MOST_OBJECTS", 100)
    lint.write("t.yaml", "---\n".join(TEMPLATE % (f"t{number}", "gpu.nvidia.com") for number in range(3000)))
    lint.write("a.yaml", POD % "t5")
    lint.write("b.yaml", POD % "t2999")
    found = lint.json("a.yaml", "b.yaml", "t.yaml").json["findings"]
    assert [each["file"] for each in found] == ["a.yaml"]  # the rest counts as not seen


@pytest.mark.parametrize("content", ["spec: {spec: {spec: {spec: 5}}}", "spec: [1]", "spec: text", "metadata: [a]", ""])
def test_templates_of_any_shape(lint, content):
    lint.write("t.yaml", f"apiVersion: resource.k8s.io/v1\nkind: ResourceClaimTemplate\n{content}\n")
    assert "please report" not in lint("t.yaml", "-f", "json", "--min-severity", "info").out
