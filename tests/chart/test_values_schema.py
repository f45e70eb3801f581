"""The files of the chart: values and their schema, version, and what lies beside them."""

import json

import fast_yaml
import pytest
from helm import CHART, KUBERNETES, NAME, ROOT, helm

from gpu_admission.commands import chart
from gpu_admission.registration import chart_values

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = fast_yaml.load((CHART / "values.yaml").read_text())
STRUCTURED = {
    "labels",
    "issuerRef",
    "nodeSelector",
    "extraLabels",
    "podAnnotations",
    "resources",
    "affinity",
    "webhooks",
}


def keys(schema, place=()):
    for name, each in schema.get("properties", {}).items():
        yield (*place, name)
        yield from keys(each, (*place, name))


def paths(values, place=()):
    for name, each in values.items():
        yield (*place, name)
        if isinstance(each, dict) and name not in STRUCTURED:
            yield from paths(each, (*place, name))


def test_values_and_schema_name_the_same():
    listed = set(paths(VALUES))
    known = {key for key in keys(SCHEMA) if not {"items", *STRUCTURED}.intersection(key[:-1])}
    assert known - listed == {("global",)}  # which Helm adds by itself
    assert listed - known == set()
    text = json.dumps(SCHEMA)
    assert text.count('"properties"') == text.count('"additionalProperties": false')


def test_nothing_stale_lies_in_the_chart():
    files = {str(path.relative_to(ROOT)) for path in (CHART / "files").rglob("*") if path.is_file()}
    assert files | {f"{chart.FOLDER}/Chart.yaml"} == set(chart.FILES)


def test_lint():
    done = helm("lint", "--strict", "--namespace", NAME, *KUBERNETES, CHART)
    assert "0 chart(s) failed" in done.stdout


@pytest.mark.parametrize(
    ("version", "semver"),
    [("0.2.0", "0.2.0"), ("0.2.0rc1", "0.2.0-rc.1"), ("1.0.0.dev3", "1.0.0-dev.3"), ("1.0.0b2", "1.0.0-b.2")],
)
def test_the_chart_has_the_version_as_helm_wants_it(version, semver):
    assert chart.chart_version(version) == semver


def test_two_lines_never_share_a_key():
    lines = {}
    condition = {"name": "n", "expression": "a\nb"}
    found = chart_values.share_lines({"mutating": [{"matchConditions": [condition]}]}, lines)
    keys_ = found["mutating"][0]["matchConditions"][0]["expression"]
    assert [lines[key] for key in keys_] == ["a", "b"]
    lines[keys_[0]] = "something else"
    with pytest.raises(ValueError, match="have the key"):
        chart_values.share_lines({"mutating": [{"matchConditions": [condition]}]}, lines)
