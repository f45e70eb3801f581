"""``deploy/`` with the real kubectl and the real API server: every overlay builds, and all of it is accepted."""

import copy
import os
from pathlib import Path

import fast_yaml
import pytest
import yaml
from e2e.objects import define
from webhook_server import ROOT

from gpu_admission.registration import webhook_configurations

pytestmark = pytest.mark.e2e

OVERLAYS = ("self-signed", "cert-manager", "audit-first", "policy-objects")
NAMESPACE = "gpu-admission"


@pytest.fixture(scope="module")
def built(cluster):
    """Overlay -> its objects, as kubectl builds them."""
    return {
        name: list(fast_yaml.load_all(cluster.kubectl("kustomize", ROOT / "deploy" / "overlays" / name).stdout))
        for name in OVERLAYS
    }


@pytest.fixture(scope="module")
def accepted(cluster, built):
    """The namespace and cert-manager's kinds exist, so that a dry run is judged as the real thing would be."""
    spaces = [obj for obj in built["self-signed"] if obj["kind"] == "Namespace"]
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(spaces))
    for kind in ("Issuer", "Certificate"):
        define(cluster.api, "cert-manager.io", kind)
    return cluster


def one(objects, kind):
    (found,) = [obj for obj in objects if obj["kind"] == kind]
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_takes_all_of_it(accepted, overlay):
    folder = ROOT / "deploy" / "overlays" / overlay
    done = accepted.kubectl("apply", "-k", folder, "--server-side", "--dry-run=server", "--validate=strict")
    assert "Warning" not in done.stderr
    assert f"deployment.apps/{NAMESPACE} serverside-applied" in done.stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pod_security_admits_the_pod(accepted, built, overlay):
    """The namespace enforces "restricted": a Deployment would only warn, its pod is what would be refused."""
    template = copy.deepcopy(one(built[overlay], "Deployment")["spec"]["template"])
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"]["name"] = "p"
    answer = accepted.api.create(pod, NAMESPACE, dryRun="All", fieldValidation="Strict")
    assert (answer.status, answer.warnings) == (201, []), answer
    careless = copy.deepcopy(pod)
    careless["spec"]["containers"][0]["securityContext"].pop("capabilities")
    refused = accepted.api.create(careless, NAMESPACE, dryRun="All")
    assert 'violates PodSecurity "restricted' in refused.message  # the label does something here


def test_a_second_apply_leaves_the_published_ca_and_the_secret_alone(accepted):
    """Upgrades are applied over what the keeper has written."""
    folder = ROOT / "deploy" / "overlays" / "self-signed"
    accepted.kubectl("apply", "-k", folder, "--server-side")
    try:
        paths = {
            "Secret": f"/api/v1/namespaces/{NAMESPACE}/secrets/gpu-admission-tls",
            "Hook": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/gpu-admission",
        }
        api = accepted.api
        secret = api.get(paths["Secret"]).object
        assert api.request("PUT", paths["Secret"], {**secret, "data": {"ca.crt": "eA=="}}).status == 200
        hook = api.get(paths["Hook"]).object
        for each in hook["webhooks"]:
            each["clientConfig"]["caBundle"] = "eA=="
        assert api.request("PUT", paths["Hook"], hook).status in {200, 422}
        before = [api.get(path).object for path in paths.values()]
        accepted.kubectl("apply", "-k", folder, "--server-side")
        after = [api.get(path).object for path in paths.values()]
        assert after[0]["data"] == before[0]["data"]
        bundles = [[each["clientConfig"].get("caBundle") for each in obj["webhooks"]] for obj in (before[1], after[1])]
        assert bundles[0] == bundles[1]
    finally:
        kinds = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
        accepted.kubectl("delete", *[f"{kind}/gpu-admission" for kind in kinds], "--ignore-not-found")


def test_rights_are_what_is_used_and_nothing_else(accepted, built):
    """Asked of the API server's own authorizer."""
    accepted.kubectl("apply", "-k", ROOT / "deploy" / "overlays" / "self-signed", "--server-side")
    try:
        account = f"system:serviceaccount:{NAMESPACE}:gpu-admission"

        def may(verb, what, space=NAMESPACE):
            done = accepted.kubectl("auth", "can-i", verb, what, f"--as={account}", "-n", space, check=False)
            return done.stdout.strip() == "yes"

        hooks = [f"{kind}webhookconfigurations.admissionregistration.k8s.io" for kind in ("mutating", "validating")]
        for what in ("secrets/gpu-admission-tls", *(f"{hook}/gpu-admission" for hook in hooks)):
            assert may("get", what)
            assert may("update", what)
            assert not any(may(verb, what) for verb in ("delete", "patch"))
        for what in ("secrets", "secrets/other", *hooks, *(f"{hook}/other" for hook in hooks), "pods", "configmaps"):
            assert not any(may(verb, what) for verb in ("get", "list", "watch", "create", "update", "delete"))
        assert not may("get", "secrets/gpu-admission-tls", "default")
    finally:
        kinds = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
        accepted.kubectl("delete", *[f"{kind}/gpu-admission" for kind in kinds], "--ignore-not-found")


def test_the_audit_overlay_refuses_and_changes_nothing(built):
    objects = built["audit-first"]
    assert not [obj for obj in objects if obj["kind"] == "MutatingWebhookConfiguration"]
    hooks = one(objects, "ValidatingWebhookConfiguration")["webhooks"]
    assert {hook["failurePolicy"] for hook in hooks} == {"Ignore"}
    policy = fast_yaml.load(one(objects, "ConfigMap")["data"]["policy.yaml"])
    assert policy["spec"]["mode"] == "audit"


def test_cert_manager_fills_the_bundles(built):
    objects = built["cert-manager"]
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        annotations = one(objects, kind)["metadata"]["annotations"]
        assert annotations == {"cert-manager.io/inject-ca-from": "gpu-admission/gpu-admission-tls"}
    assert "Role" not in {obj["kind"] for obj in objects}  # no Secret is read through the API
    mounted = one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"][-1]["secret"]["secretName"]
    (made,) = [
        o["spec"]["secretName"] for o in objects if o["kind"] == "Certificate" and o["metadata"]["name"] == mounted
    ]
    assert made == mounted


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_parts_agree(built, overlay):
    """Names, ports and files that have to be the same in several objects."""
    objects = built[overlay]
    deployment, service = one(objects, "Deployment"), one(objects, "Service")
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"--bind=0.0.0.0:{ports['webhook']}" in container["args"]
    assert f"--health-bind=0.0.0.0:{ports['health']}" in container["args"]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["health"])
    for selector in (
        service["spec"]["selector"],
        one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["ports"][0]["port"] == webhook_configurations.RegistrationOptions().port
    for obj in objects:
        for hook in obj.get("webhooks", ()):
            where = hook["clientConfig"]["service"]
            assert (where["name"], where["namespace"]) == (
                service["metadata"]["name"],
                service["metadata"]["namespace"],
            )
    limits = container["resources"]
    assert limits["limits"] == {"memory": limits["requests"]["memory"]}
    grace = pod["spec"]["terminationGracePeriodSeconds"]
    lame = next(int(arg.partition("=")[2]) for arg in container["args"] if arg.startswith("--lame-duck="))
    assert 5 + lame + 10 < grace


def test_the_policy_that_is_mounted_is_the_default(built):
    output = fast_yaml.load(one(built["self-signed"], "ConfigMap")["data"]["policy.yaml"])
    assert output == fast_yaml.load(Path(ROOT, "policies", "default.yaml").read_text())
    assert (
        os.path.basename(
            next(
                arg
                for arg in one(built["self-signed"], "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
                if "policy" in arg
            )
        )
        == "policy.yaml"
    )
