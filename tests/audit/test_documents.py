"""The formats of an audit."""

import json
import xml.etree.ElementTree as ET

import fast_yaml
import pytest
from audit_objects import NAILED, managed, pod, spec, workload

from gpu_admission.audit import documents, policy_reports, table
from gpu_admission.audit.result import AuditProblem, AuditResult
from gpu_admission.audit.run import audit
from gpu_admission.policyfile import loader
from gpu_admission.reports.style import Style

NOW = 1_795_000_000


@pytest.fixture
def result(connection, api):
    bad = spec(securityContext={"privileged": True})
    deployment = workload("Deployment", "trainer", bad)
    api.lists["/apis/apps/v1/deployments"].append(deployment)
    api.lists["/api/v1/pods"] += [
        *[pod(f"trainer-{number}", bad, deployment) for number in range(3)],
        pod("nailed", NAILED, managedFields=managed("nodeName"), namespace="other"),
        pod("\x1b[31mred", bad, namespace="other"),
        pod("clean", spec(gpus=0), namespace="quiet"),
    ]
    found = audit(connection, loader.load("default"))
    found.errors.append(AuditProblem("jobs.batch", "jobs.batch: not allowed"))
    return found


def test_json_holds_everything(result):
    document = json.loads(documents.to_json(result))
    assert document["version"] == 1
    assert document["tool"]["name"] == "gpu-admission audit"
    assert document["summary"]["owners"] == {"deny": 1, "repair": 2, "warn": 0, "audit": 0}
    assert document["errors"] == [{"subject": "jobs.batch", "message": "jobs.batch: not allowed", "reason": "failed"}]
    trainer = [each for each in document["findings"] if each["object"]["name"] == "trainer"]
    assert [(each["rule"], each["admission"], each["severity"], each["found"]) for each in trainer] == [
        ("GPU201", "repair", "info", {"Deployment": 1, "Pod": 3}),
        ("GPU303", "warn", "warning", {"Deployment": 1, "Pod": 3}),
    ]
    detail = trainer[1]["details"][0]
    assert detail["container"] == "train"
    assert detail["pointer"].startswith("/spec/")
    assert detail["advice"]


def test_yaml_is_the_same_document(result):
    assert fast_yaml.load(documents.to_yaml(result)) == documents.document(result)


def test_only_what_is_denied(result):
    for render in (documents.to_json, documents.to_yaml, documents.to_sarif, documents.to_junit):
        text = render(result, only_denied=True)
        assert "GPU203" in text
        assert "trainer" not in text
    assert "trainer" not in table.render(result, only_denied=True)


def test_junit(result):
    root = ET.fromstring(documents.to_junit(result))
    assert root.get("name") == "gpu-admission audit"
    suites = {suite.get("name"): suite for suite in root}
    assert {"team/Deployment/trainer", "other/Pod/nailed", "quiet", "jobs.batch"} < suites.keys()
    assert suites["quiet"].find("testcase").get("name") == "no findings"
    assert suites["jobs.batch"].get("errors") == "1"
    failed = suites["other/Pod/nailed"].findall("testcase/failure")
    assert [each.get("type") for each in failed] == ["error"]
    assert "None" not in documents.to_junit(result)


def test_sarif(result):
    run = json.loads(documents.to_sarif(result))["runs"][0]
    assert run["tool"]["driver"]["name"] == "gpu-admission audit"
    places = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"]}
    assert "team/Deployment/trainer" in places
    prints = [each["partialFingerprints"]["gpuLint/v1"] for each in run["results"]]
    assert len(set(prints)) == len(prints)
    assert run["invocations"][0]["executionSuccessful"] is False


def test_the_table_has_a_line_a_row_and_says_what_to_do(result):
    lines = table.render(result).splitlines()
    assert lines[0].split() == ["NAMESPACE", "OWNER", "PODS", "ADMISSION", "RULE", "FINDING"]
    assert lines[1].split()[:6] == ["other", "Pod/nailed", "1", "deny", "GPU203", "node-name"]
    text = "\n".join(lines)
    assert "GPU203  remove nodeName" in text
    assert "Policy default would deny 1 owner, repair 2 owners in all namespaces: 7 objects (6 Pods)" in text
    assert "1 problem: the audit is incomplete." in text
    assert "\x1b" not in text  # nothing in a cluster writes to the terminal


def test_colours_where_they_are_wanted(result):
    assert "\x1b[1;31mdeny" in table.render(result, Style(colour=True))


def test_nothing_found_is_said():
    result = AuditResult(cluster="c", policy="p", mode="warn", namespace="n")
    text = table.render(result)
    assert text.startswith("No findings in namespace n: 0 objects (0 Pods) of 0 kinds looked at.")
    assert "The policy's mode is warn" in text
    assert policy_reports.reports(result, policy_reports.WG_POLICY, NOW) == []
    assert documents.dump_yaml([]) == ""


@pytest.mark.parametrize("group", policy_reports.APIS)
def test_reports_by_namespace(result, group):
    found = policy_reports.reports(result, group, NOW)
    assert [(each["kind"], each["metadata"]["namespace"]) for each in found] == [
        (group.namespaced, "other"),
        (group.namespaced, "team"),
    ]
    first = found[0]["results"][0]
    assert (first["result"], first["severity"], first["rule"]) == ("fail", "high", "GPU203")
    assert first["resources"][0]["name"] == "nailed"
    assert first["timestamp"] == {"seconds": NOW, "nanos": 0}
    assert found[1]["summary"] == {"pass": 0, "fail": 0, "warn": 2, "error": 0, "skip": 0}
    assert all(
        isinstance(each, str) for report in found for one in report["results"] for each in one["properties"].values()
    )


def test_a_report_that_would_not_fit_into_an_object_is_several(result, monkeypatch):
    monkeypatch.setattr(policy_reports, "_MOST_BYTES", 100)
    names = [each["metadata"]["name"] for each in policy_reports.reports(result, policy_reports.WG_POLICY, NOW)]
    assert names[:2] == ["gpu-admission-audit", "gpu-admission-audit-2"]
