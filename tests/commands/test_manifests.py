"""``gpu-admission manifests``: what it prints, and the mistakes that would only show in the cluster."""

import fast_yaml
import pytest

from gpu_admission.commands.main import main
from gpu_admission.policyfile import loader

IN_TREE = {
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.fixture
def manifests(capsys):
    def say(*arguments):
        code = main(["manifests", *map(str, arguments)])
        output = capsys.readouterr()
        return code, list(fast_yaml.load_all(output.out)), output.err

    return say


def kinds(objects):
    return [each["kind"] for each in objects]


def test_configurations_and_rights(manifests):
    webhooks = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
    rights = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    assert kinds(manifests()[1]) == webhooks + rights
    assert kinds(manifests("--only", "webhooks")[1]) == webhooks
    assert kinds(manifests("--only", "rbac")[1]) == rights


def test_with_cert_manager_it_asks_for_no_secret_and_only_reads(manifests):
    code, objects, _ = manifests("--cert-manager", "gpu-admission/serving")
    assert code == 0
    assert "secrets" not in str(objects)
    (role,) = (each for each in objects if each["kind"] == "ClusterRole")
    assert [rule["verbs"] for rule in role["rules"]] == [["get"]]
    for each in objects[:2]:
        assert each["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": "gpu-admission/serving"}


@pytest.mark.parametrize("url", ["https://10.0.0.1:8443", "https://gate.example.com/", "https://[fd00::1]:443/gpu"])
def test_a_server_outside_of_the_cluster(manifests, url):
    code, objects, _ = manifests("--url", url, "--only", "webhooks", "--fail-open")
    assert code == 0
    requested = [hook["clientConfig"]["url"] for each in objects for hook in each["webhooks"]]
    assert set(requested) == {f"{url.rstrip('/')}/mutate", f"{url.rstrip('/')}/validate"}


def test_the_route_is_the_policys_own_name(manifests, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(loader.source("default").replace("  name: default", "  name: research", 1))
    code, objects, _ = manifests("-p", path, "--route", "research", "--name", "gpu-research")
    assert code == 0
    assert objects[0]["webhooks"][0]["clientConfig"]["service"]["path"] == "/mutate/research"
    assert objects[0]["metadata"]["name"] == "gpu-research"


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["-p", "nosuch"], "there is no shipped policy 'nosuch'"),
        (["-p", "/no/such.yaml"], "/no/such.yaml: there is no such policy file"),
        (["--port", "0"], "--port: 0 is not between 1 and 65535"),
        (["--port", "65536"], "--port: "),
        (["--name", ""], "--name: '' is not a valid Kubernetes name"),
        (["--name", "Two Words"], "--name: "),
        (["--name", "a\n"], "--name: "),
        (["--name", "a" * 254], "--name: "),
        (["--service", "a_b"], "--service: "),
        (["--service", "a.b"], "--service: "),
        (["--service", "a" * 64], "--service: "),
        (["--namespace", "a-"], "--namespace: "),
        (["--secret", "ns/name"], "--secret: "),
        (["--url", "http://a:1"], "--url: 'http://a:1' is not https://HOST:PORT"),
        (["--url", "gate:8443"], "--url: "),
        (["--url", "https://"], "--url: "),
        (["--url", "https://user:secret@a"], "--url: "),
        (["--url", "https://a?b=c"], "--url: "),
        (["--url", "https://a/#b"], "--url: "),
        (["--cert-manager", "serving"], "--cert-manager: 'serving' is not NAMESPACE/CERTIFICATE"),
        (["--cert-manager", "a/b/c"], "--cert-manager: "),
        (["-p", "default", "-p", "default"], "--policy: two policies have the same name"),
        (["-p", "default", "-p", "strict", "--route", "strict"], "--route: names one policy, and several are given"),
        (
            ["-p", "default", "-p", "strict"],
            "--policy: default is for every namespace, so strict after it never judges",
        ),
        (["--in-tree", "-p", "hami", "-p", "mig"], "--policy: hami is for every namespace, so mig after it never"),
        (["--policy-source", "crd", "--kubernetes-version", "1.28"], "--policy-source crd needs Kubernetes 1.29"),
        (["--route", "strict"], "--route: 'strict' is not the name of this policy, which is 'default'"),
        (["--ca-bundle", "/no/such.crt"], "--ca-bundle: /no/such.crt: no such file or directory"),
        (["--ca-bundle", "/"], "--ca-bundle: /: is a directory"),
        (["--values", "--kubernetes-version", "1.28"], "--values: the chart needs Kubernetes 1.29, not 1.28"),
        (["--values", "--in-tree", "--service", "x"], "--values cannot be combined with --service"),
        (["--values", "--in-tree", "--kubernetes-version", "1.29"], "--in-tree: Kubernetes 1.29 does not serve"),
        (["--values", "--fail-open"], "--values cannot be combined with --fail-open: the chart decides that"),
        (["--values", "--port", "8443"], "--values cannot be combined with --port"),
        (["--values", "--ca-bundle", "/no/such.crt"], "--values cannot be combined with --ca-bundle"),
        (["--values", "-p", "default", "-p", "default"], "--policy: two policies have the same name"),
        (["--values", "-p", "/no/such.yaml"], "/no/such.yaml: there is no such policy file"),
    ],
)
def test_mistakes_are_one_line_and_2(manifests, arguments, output):
    code, objects, err = manifests(*arguments)
    assert (code, objects) == (2, [])
    assert err.startswith(f"gpu-admission manifests: {output}")
    assert err.count("\n") == 1


def test_a_bundle_is_of_certificates_alone(manifests, tmp_path):
    path = tmp_path / "ca.crt"
    for text in ("", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n"):
        path.write_text(text)
        assert manifests("--ca-bundle", path)[2].endswith("is not a PEM bundle of certificates only\n")
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    assert manifests("--ca-bundle", path, "--only", "webhooks")[0] == 0


class TestInTree:
    def test_it_writes_policies_and_bindings_and_nothing_else(self, manifests):
        code, objects, errors = manifests("--in-tree")
        assert (code, errors) == (0, "")
        assert set(kinds(objects)) == IN_TREE

    def test_the_output_says_what_is_lost(self, capsys):
        assert main(["manifests", "--in-tree", "-p", "strict"]) == 0
        written = capsys.readouterr().out
        assert "#   GPU301 visible-devices: partly enforced in-tree: " in written
        assert "#   GPU102 untranslatable-request: enforced by the webhook only: " in written

    def test_an_older_version_gets_validation_only_and_is_told_so(self, capsys):
        assert main(["manifests", "--in-tree", "--kubernetes-version", "v1.33.4"]) == 0
        written = capsys.readouterr().out
        assert "# Kubernetes 1.33 does not serve MutatingAdmissionPolicy v1 (1.36 does)" in written
        assert set(kinds(fast_yaml.load_all(written))) == {each for each in IN_TREE if "Validating" in each}

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            (
                ["--kubernetes-version", "1.29"],
                "does not serve ValidatingAdmissionPolicy v1 (1.30 does); leave --in-tree",
            ),
            (["--kubernetes-version", "soon"], "--kubernetes-version: 'soon' is not a version of Kubernetes"),
            (["--kubernetes-version", "1.7"], "1.7 does not serve admissionregistration.k8s.io/v1"),
            (["--url", "https://127.0.0.1:1"], "--in-tree: there is no webhook, so --url means nothing"),
            (["--route", "default"], "so --route means nothing"),
            (["--ca-bundle", "x"], "so --ca-bundle means nothing"),
            (["--only", "rbac"], "so --only means nothing"),
            (["--name", "x" * 250], "is not a valid Kubernetes name"),
            (["--name", "Upper"], "--name: 'Upper' is not a valid Kubernetes name"),
            (["-p", "nowhere.yaml"], "nowhere.yaml"),
        ],
    )
    def test_mistakes_are_one_sentence(self, manifests, options, error):
        code, objects, errors = manifests("--in-tree", *options)
        assert (code, objects) == (2, [])
        assert error in errors
        assert errors.count("\n") == 1

    def test_a_policy_that_exempts_too_much_is_refused(self, manifests, tmp_path):
        users = "".join(f"      - system:serviceaccount:n{number}:{'x' * 60}\n" for number in range(2000))
        path = tmp_path / "p.yaml"
        path.write_text(
            f"apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {{name: p}}\nspec:\n  exempt:\n    users:\n{users}"
        )
        code, _, errors = manifests("--in-tree", "-p", path)
        assert code == 2
        assert "spec.exempt has 2000 entries" in errors


class TestOldVersions:
    def test_the_webhook_without_match_conditions(self, manifests):
        code, objects, errors = manifests("--kubernetes-version", "1.25", "--only", "webhooks")
        assert code == 0
        assert "every pod is sent to the webhook" in errors
        assert not any("matchConditions" in hook for each in objects for hook in each["webhooks"])

    def test_with_them_where_they_are_served(self, manifests):
        _, objects, errors = manifests("--kubernetes-version", "1.29", "--only", "webhooks")
        assert errors == ""
        assert all("matchConditions" in hook for each in objects for hook in each["webhooks"])


class TestPoliciesAsObjects:
    """``--policy-source crd``: the definition, webhooks for any policy, and the rights to follow and to report."""

    def test_everything_that_they_need(self, manifests):
        code, objects, _ = manifests("--policy-source", "crd", "--namespace", "gpus", "--service", "s")
        assert code == 0
        assert kinds(objects) == [
            "CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
            "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
            "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Lease",
        ]  # fmt: skip
        assert (objects[-1]["metadata"]["namespace"], objects[-1]["metadata"]["name"]) == ("gpus", "s-policies")
        parts = {part: manifests("--policy-source", "crd", "--only", part)[1] for part in ("crd", "webhooks", "rbac")}
        assert [len(part) for part in parts.values()] == [1, 2, 9]

    def test_every_pod(self, manifests):
        arguments = ("--policy-source", "crd", "--only", "webhooks")
        for more, sent in (((), False), (("--every-pod",), True)):
            mutating = manifests(*arguments, *more)[1][0]
            names = [each["name"] for each in mutating["webhooks"][0]["matchConditions"]]
            assert ("touches-a-gpu" not in names) == sent

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--policy-source", "crd", "-p", "mig"), "--policy cannot be combined with --policy-source crd: the webhooks"),
            (("--policy-source", "crd", "--values"), "--values cannot be combined with --policy-source crd: set the chart"),
            (("--policy-source", "crd", "--in-tree"), "--in-tree cannot be combined with --policy-source crd: the API"),
            (("--policy-source", "crd", "--route", "a"), "--route cannot be combined with --policy-source crd: objects"),
            (("--every-pod",), "--every-pod needs --policy-source crd"),
            (("--only", "crd"), "--only crd needs --policy-source crd"),
        ],
    )  # fmt: skip
    def test_what_does_not_go_together(self, manifests, arguments, sentence):
        code, _, error = manifests(*arguments)
        assert code == 2
        assert sentence in error
        assert error.count("\n") == 1
