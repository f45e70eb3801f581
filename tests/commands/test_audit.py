"""gpu-admission audit through its front door."""

import json
from datetime import UTC, datetime

import fast_yaml
import pytest
from api_standin import Reply, status
from audit.conftest import api, config  # noqa: F401 - the stand-in and the kubeconfig that leads to it
from audit_objects import NAILED, managed, pod, spec

from gpu_admission.commands import audit as command
from gpu_admission.commands.main import main

PODS = "/api/v1/pods"
DENIED = pod("nailed", NAILED, managedFields=managed("nodeName"))
WARNED = pod("warned", spec(securityContext={"privileged": True}))


@pytest.fixture
def run(config, capsys):  # noqa: F811
    def run(*argv):
        code = main(["audit", "--kubeconfig", config, *argv])
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return code, output.out, output.err

    return run


@pytest.mark.parametrize(
    ("pods", "argv", "code"),
    [
        ([], (), 0),
        ([WARNED], (), 0),
        ([WARNED], ("--fail-on", "warning"), 1),
        ([DENIED], (), 1),
        ([DENIED], ("--fail-on", "never"), 0),
        ([pod("repaired")], ("--fail-on", "info"), 0),
    ],
)
def test_the_exit_code_is_the_linters(run, api, pods, argv, code):  # noqa: F811
    api.lists[PODS] += pods
    assert run("-A", *argv)[0] == code


def test_the_namespace_is_the_contexts_unless_told(run, api):  # noqa: F811
    api.lists[PODS] += [pod("a", NAILED, namespace="default", managedFields=managed("nodeName")), DENIED]
    assert [name in run("--only-denied")[1] for name in ("Pod/a", "Pod/nailed")] == [True, False]
    assert [name in run("-n", "team", "--only-denied")[1] for name in ("Pod/a", "Pod/nailed")] == [False, True]
    assert [name in run("-A", "--only-denied")[1] for name in ("Pod/a", "Pod/nailed")] == [True, True]


@pytest.mark.parametrize("form", command.FORMATS)
def test_every_format_goes_to_a_file(run, api, form, tmp_path):  # noqa: F811
    api.lists[PODS].append(DENIED)
    code, out, _ = run("-A", "-f", form)
    assert code == 1
    path = tmp_path / "out"
    assert run("-A", "-f", form, "-o", str(path))[:2] == (1, "")
    if form != "policyreport":  # which tells the time
        assert path.read_text() == out
    assert "GPU203" in path.read_text()


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (status(401), "credentials are not accepted (401 Unauthorized): log in again"),
        (
            status(403, 'forbidden: User "x" cannot get path "/api"'),
            'RBAC does not allow to read it: forbidden: User "x"',
        ),
        (Reply(200, b"<html>"), "is not a Kubernetes object"),
        (Reply(302, "", {"Location": "https://login.example.com"}), "is this the URL of an API server?"),
    ],
)
def test_a_cluster_that_cannot_be_looked_at_is_one_line_and_2(run, api, fault, text):  # noqa: F811
    api.always = [lambda *_: fault]
    code, out, err = run("-A")
    assert (code, out) == (2, "")
    assert err.startswith("gpu-admission audit: ")
    assert err.count("\n") == 1
    assert text in err


def test_what_may_not_be_read_is_named_and_the_rest_is_judged(run, api):  # noqa: F811
    api.lists[PODS].append(WARNED)
    api.always = [lambda path, _: status(403, "deployments is forbidden") if "deployments" in path else None]
    code, out, err = run("-A")
    assert code == 2
    assert err.count("\n") == 1
    assert "/apis/apps/v1/deployments: RBAC does not allow to read it" in err
    assert "Pod/warned" in out
    assert "the audit is incomplete" in out


def test_all_that_may_not_be_read_is_one_line(run, api):  # noqa: F811
    api.lists[PODS].append(WARNED)
    api.always = [lambda path, _: status(403) if path.startswith("/apis/") else None]
    code, out, err = run("-A")
    assert code == 2
    assert "Pod/warned" in out
    assert (
        "list deployments.apps, statefulsets.apps, replicasets.apps, jobs.batch, cronjobs.batch in all namespaces"
        in err
    )
    api.always = [lambda path, _: status(403) if path not in {"/api", "/apis"} else None]
    code, out, err = run("-A")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "RBAC does not allow to list any kind that holds pods in all namespaces: choose a namespace with -n" in err


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("-p", "defalt"), "did you mean 'default'?"),
        (("--context", "elsewhere"), "there is no context 'elsewhere'"),
        (("--apply",), "--apply needs -f policyreport"),
        (("--apply", "-f", "policyreport", "--since", "1h"), "cannot be combined with --since"),
        (("-o", "/nowhere/at/all"), "there is no directory /nowhere/at"),
        (("-f", "policyreport", "--apply"), "serves neither openreports.io/v1alpha1 nor wgpolicyk8s.io/v1alpha2"),
    ],
)
def test_wrong_usage_is_one_line_and_2(run, argv, text):
    code, _, err = run(*argv)
    assert code == 2
    assert err.count("\n") == 1
    assert text in err


def test_a_file_that_cannot_be_written(run, tmp_path):
    (tmp_path / "folder").mkdir()
    code, _, err = run("-o", str(tmp_path / "folder"))
    assert code == 2
    assert "--output" in err


@pytest.mark.parametrize("text", ["", "yesterday", "-5h", "2026-13-01", "1e9d", "99999d99", "٣d", "2026-11-26T99:00"])
def test_times_that_are_none(text, capsys):
    with pytest.raises(SystemExit):
        main(["audit", f"--since={text}"])
    assert "not a time; expected a duration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-26", "2026-11-26T00:00:00Z"),
        ("2026-11-26T08:00Z", "2026-11-26T08:00:00Z"),
        ("2026-11-26T08:00+01:00", "2026-11-26T07:00:00Z"),
    ],
)
def test_times(text, time):
    assert command.since(text) == time


def test_durations_count_from_now():
    day, hours = (datetime.fromisoformat(command.since(text)) for text in ("1d", "24h"))
    assert abs((hours - day).total_seconds()) <= 2
    assert 86_398 <= (datetime.now(UTC) - day).total_seconds() <= 86_402


class TestApply:
    @pytest.fixture(params=["openreports.io", "wgpolicyk8s.io"])
    def group(self, request, api):  # noqa: F811
        names = {
            "openreports.io": ("v1alpha1", "reports", "Report"),
            "wgpolicyk8s.io": ("v1alpha2", "policyreports", "PolicyReport"),
        }
        version, plural, kind = names[request.param]
        api.serve(request.param, version, plural, kind)
        api.serve(request.param, version, f"cluster{plural}", f"Cluster{kind}", namespaced=False)
        return f"/apis/{request.param}/{version}", plural

    def test_reports_are_applied_and_those_of_findings_that_are_gone_deleted(self, run, api, group):  # noqa: F811
        root, plural = group
        api.lists[PODS].append(DENIED)
        ours = {"app.kubernetes.io/managed-by": "gpu-admission"}
        api.lists[f"{root}/{plural}"] += [
            {"metadata": {"name": "gpu-admission-audit", "namespace": "team", "labels": ours}},
            {"metadata": {"name": "gpu-admission-audit", "namespace": "mended", "labels": ours}},
        ]
        code, out, err = run("-A", "-f", "policyreport", "--apply")
        assert (code, err) == (1, "")
        assert out.startswith("1 of 1 reports of ")
        (patched, path, query, body), deleted = api.written
        assert (patched, path) == ("PATCH", f"{root}/namespaces/team/{plural}/gpu-admission-audit")
        assert query == {"fieldManager": "gpu-admission", "force": "true"}
        assert body["results"][0]["rule"] == "GPU203"
        assert deleted[:2] == ("DELETE", f"{root}/namespaces/mended/{plural}/gpu-admission-audit")

    def test_nothing_is_deleted_after_an_audit_that_saw_only_a_part(self, run, api, group):  # noqa: F811
        root, plural = group
        api.lists[f"{root}/{plural}"].append({"metadata": {"name": "gpu-admission-audit", "namespace": "mended"}})
        api.always = [lambda path, _: status(403) if "deployments" in path else None]
        assert run("-A", "-f", "policyreport", "--apply")[0] == 2
        assert api.written == []

    def test_a_report_that_cannot_be_written_is_an_error_and_the_others_are(self, run, api, group):  # noqa: F811
        _, plural = group
        api.lists[PODS] += [DENIED, pod("b", NAILED, namespace="gone", managedFields=managed("nodeName"))]
        api.always = [lambda path, _: status(403, "no quota") if f"gone/{plural}" in path else None]
        code, out, err = run("-A", "-f", "policyreport", "--apply")
        assert code == 2
        assert out.startswith("1 of 2 reports")
        assert "no quota" in err

    def test_a_namespace_on_its_way_out_is_no_error(self, run, api, group):  # noqa: F811
        _, plural = group
        api.lists[PODS].append(pod("b", NAILED, namespace="gone", managedFields=managed("nodeName")))
        text = "unable to create new content in namespace gone because it is being terminated"
        api.always = [lambda path, _: status(403, text) if f"gone/{plural}" in path else None]
        code, _, err = run("-A", "-f", "policyreport", "--apply")
        assert code == 1
        assert text in err


def test_json_on_standard_output_is_json_alone(run, api):  # noqa: F811
    api.faults = [lambda *_: status(429)._replace(headers={"Retry-After": "1"})]
    code, out, err = run("-A", "-f", "json")
    assert json.loads(out)["findings"] == []
    assert (code, err.count("\n")) == (0, 1)
    assert "trying again in 1 s" in err
    assert fast_yaml.load(run("-A", "-f", "yaml")[1])["findings"] == []
