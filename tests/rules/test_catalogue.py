"""The catalogue: headers of the rules, from which their modules are loaded when they are needed."""

import subprocess
import sys

import pytest

from gpu_admission import rules
from gpu_admission.commands import docs
from gpu_admission.docpages import rule_headers
from gpu_admission.engine import rule as rule_type
from gpu_admission.engine.rule import HEADER, Rule, RuleError, header, load
from gpu_admission.rules import catalogue, quota_names, quotas, triggers
from gpu_admission.rules.request import gpu010_quota_item

GPU003 = next(row for row in catalogue.HEADERS if row[0] == "GPU003")


def of(**changed):
    values = dict(zip(HEADER, (*GPU003[:7], triggers.amount_in_doubt, GPU003[8]), strict=True)) | changed
    return header("gpu_admission.rules.request.gpu003_fractional_count", *values.values())


def test_every_module_of_a_rule_is_in_the_catalogue_and_nothing_else():
    modules = docs.rule_modules()
    assert [f"{rules.__name__}.{path}" for path in sorted(modules, key=lambda path: modules[path].id)] == [
        rule.module for rule in rules.ALL
    ]
    for rule in rules.ALL:
        load(rule)
        whole = modules[rule.module.removeprefix(f"{rules.__name__}.")]
        fields = [field for field in Rule.__slots__ if field != "module"]
        assert [getattr(rule, field) for field in fields] == [getattr(whole, field) for field in fields], rule


def test_a_field_beyond_the_header_is_loaded_once_and_the_rest_with_it(monkeypatch):
    rule = of()
    assert rule.summary == rules.BY_ID["GPU003"].summary
    monkeypatch.setattr(rule_type, "load", lambda _: pytest.fail("loaded a second time"))
    assert rule.check is rules.BY_ID["GPU003"].check
    assert rule.compare is None


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "fractional"},
        {"severity": "info"},
        {"default": "off"},
        {"fix": "safe"},
        {"admission_kinds": frozenset({"pod"})},
        {"scope": "object"},
        {"when": None},
        {"when": triggers.node_name},
        {"may_resolve": frozenset()},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_header_that_differs_from_its_module_is_refused_before_anything_is_judged(changed):
    rule = of(**changed)
    with pytest.raises(RuleError, match=f"GPU003: {next(iter(changed))} differ from .*: run make docs"):
        _ = rule.check


def test_a_module_that_is_gone_is_an_error():
    rule = header("gpu_admission.rules.request.gpu099_gone", *[getattr(of(), field) for field in HEADER])
    with pytest.raises(ModuleNotFoundError, match="gpu099_gone"):
        load(rule)


def test_a_field_that_rules_do_not_have_is_an_attribute_error():
    assert not hasattr(of(), "severty")


class TestThePage:
    """What is refused when the catalogue is written."""

    def test_two_rules_of_one_id(self):
        whole = rules.BY_ID["GPU003"]
        other = of(name="other")
        for field in Rule.__slots__:
            if field not in {"name", "module"}:
                setattr(other, field, getattr(whole, field))
        both = {"request.gpu003_fractional_count": whole, "request.gpu003_other": other}
        with pytest.raises(ValueError, match="two rules have the ID GPU003"):
            rule_headers.page(both)

    @pytest.mark.parametrize("path", ["request.gpu003_fractional", "sharing.gpu003_fractional_count"])
    def test_a_file_in_the_wrong_folder_or_of_another_name(self, path):
        with pytest.raises(ValueError, match=r"call it rules/request/gpu003_fractional_count\.py"):
            rule_headers.page({path: rules.BY_ID["GPU003"]})

    def test_a_trigger_without_a_name(self):
        rule = of(when=rule_type.Trigger(lambda _workload, _policy: 1, 1))
        with pytest.raises(ValueError, match="trigger"):
            rule_headers.page({"request.gpu003_fractional_count": rule})


def test_a_run_over_an_ordinary_gpu_pod_loads_few_rules(tmp_path):
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: i, resources: %s}]}}"
    (tmp_path / "p.yaml").write_text(pod % "{limits: {nvidia.com/gpu: 1}}")
    code = (
        "import sys; from gpu_admission.commands.lint import main; main(sys.argv[1:]);"
        "print([name for name in sys.modules if name.startswith('gpu_admission.rules.') and '.gpu' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "p.yaml")], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.splitlines()[-1]
    assert loaded.count("gpu_admission.rules.") <= 5, loaded
    assert ".claims." not in loaded


def test_no_quota_stands_in_a_kind_that_the_trigger_takes_for_a_workload():
    tables = (quotas.PLACES, gpu010_quota_item._RANGES, quota_names._AMOUNTS, quota_names._NAMES)
    kinds = {kind for table in tables for kind in table} | {("autoscaling", "HorizontalPodAutoscaler")}
    assert not {group for group, _ in kinds} & {"apps", "batch"}
    assert ("", "Pod") not in kinds


def test_what_answers_reviews_has_loaded_every_rule_before_the_first_of_them():
    code = (
        "import sys; from gpu_admission import rules; from gpu_admission.webhook.review.handler import Decider;"
        "before = [rule.module for rule in rules.ALL if rule.module in sys.modules]; Decider(lambda _: None);"
        "print(len(before), [rule.module for rule in rules.ALL if rule.module not in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, missing = done.stdout.split(maxsplit=1)
    assert int(before) < len(rules.ALL)
    assert missing.strip() == "[]"
