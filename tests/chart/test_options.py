"""What each value of the chart does, and that chart and overlays are the same installation."""

import base64
import json
import subprocess

import fast_yaml
import pytest
import yaml
from helm import CHART, KUBERNETES, NAME, ROOT, helm, one, template, tool

HELM_LABELS = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": NAME}
PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


def plain(value):
    """Without the labels that Helm's users expect, and without the reasons for a scanner."""
    if isinstance(value, dict):
        kept = {key: plain(each) for key, each in value.items() if key not in HELM_LABELS}
        return {key: each for key, each in kept.items() if each != {} and not key.startswith("checkov.io/")}
    return [plain(each) for each in value] if isinstance(value, list) else value


def by_name(objects):
    found = {(each["kind"], each["metadata"]["name"]): plain(each) for each in objects}
    for (kind, _), each in found.items():
        # The overlays label less, and nothing selects those objects by labels, but for roles that are aggregated.
        labels = each["metadata"].pop("labels", {})
        each["aggregated"] = {key: value for key, value in labels.items() if "aggregate" in key}
        assert {labels.get(key, NAME).removesuffix("-audit") for key in LABELS} == {NAME}
        if kind == "ConfigMap":
            each["data"] = {key: fast_yaml.load(text) for key, text in each["data"].items()}
    return found


@pytest.mark.parametrize(
    ("overlay", "values"),
    [
        ("self-signed", ()),
        ("cert-manager", ("--set", "certificates.source=cert-manager")),
        ("audit-first", ("--set", "stage=audit")),
        ("policy-objects", ("--set", "policies.source=crd,policies.crd.keep=false")),
        ("audit", ("--set", "audit.enabled=true")),
    ],
)
def test_overlay_and_chart_are_the_same_installation(overlay, values):
    folder = ROOT / "deploy" / ("audit" if overlay == "audit" else f"overlays/{overlay}")
    command = [tool("kubectl"), "kustomize", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    built = [each for each in yaml.load_all(built, Loader=yaml.CSafeLoader) if each["kind"] != "Namespace"]
    kustomized = by_name(built)  # the namespace is made by helm install --create-namespace
    charted = by_name(template(*values))
    if overlay == "audit":  # which stands beside a webhook here, and judges by the same policy
        assert (
            kustomized.pop(("ConfigMap", f"{NAME}-audit-policy"))["data"]
            == charted["ConfigMap", f"{NAME}-policy"]["data"]
        )
        charted = {key: each for key, each in charted.items() if key[1].startswith(f"{NAME}-audit")}
        pod = kustomized["CronJob", f"{NAME}-audit"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        pod["volumes"][0]["configMap"]["name"] = f"{NAME}-policy"
    assert charted.keys() == kustomized.keys()
    for key, each in kustomized.items():
        assert charted[key] == each, key


def container(objects):
    return one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]


def test_server_settings_become_flags():
    values = {
        "workers": 4, "logFormat": "text", "logLevel": "debug", "lameDuckSeconds": 20, "ipv6": True,
        "ports": {"webhook": 8443, "health": 9090},
    }  # fmt: skip
    objects = template("--set-json", f"server={json.dumps(values)}")
    args = container(objects)["args"]
    wanted = {
        "--bind=[::]:8443", "--health-bind=[::]:9090", "--lame-duck=20", "--workers=4", "--log-format=text",
        "--log-level=debug",
    }  # fmt: skip
    assert wanted <= set(args)
    assert [port["containerPort"] for port in container(objects)["ports"]] == [8443, 9090]
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 50


def test_every_flag_is_one_that_serve_knows(capsys):
    from gpu_admission.commands.main import complete_parser

    everything = {
        "server": {"workers": 4, "logFormat": "text", "logLevel": "debug"},
        "certificates": {"clientCASecret": "ca"},
    }
    for source in ("self-signed", "cert-manager"):
        args = container(
            template("--set-json", *[f"{k}={json.dumps(v)}" for k, v in list(everything.items())[:1]],
                     "--set", f"certificates.source={source},certificates.clientCASecret=ca", release="x")
        )["args"]  # fmt: skip
        parsed = vars(complete_parser().parse_args(args))
        assert parsed["webhook_configuration"] == ["x-gpu-admission"]
        assert parsed["client_ca"] == "/client-ca/ca.crt"


def test_a_secret_of_ones_own(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text(PEM)
    objects = template(
        "--set",
        "certificates.source=secret,certificates.secretName=mine",
        "--set-file",
        f"certificates.caBundle={path}",
    )
    assert not [each for each in objects if each["kind"] in {"Secret", "Certificate", "Issuer", "Role"}]
    bundles = {hook["clientConfig"]["caBundle"] for each in objects for hook in each.get("webhooks", ())}
    assert bundles == {base64.b64encode(PEM.encode()).decode()}
    volumes = one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "certificate", "secret": {"secretName": "mine", "defaultMode": 0o440}} in volumes
    assert "--tls-cert=/certs/tls.crt" in container(objects)["args"]


def test_an_issuer_of_ones_own():
    reference = {"name": "corporate", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    objects = template(
        "--set", "certificates.source=cert-manager", "--set-json", f"certificates.issuerRef={json.dumps(reference)}",
        release="x", namespace="gpus",
    )  # fmt: skip
    certificate = one(objects, "Certificate")
    assert certificate["spec"]["issuerRef"] == reference
    assert certificate["spec"]["dnsNames"][0] == "x-gpu-admission.gpus.svc"
    assert not [each for each in objects if each["kind"] == "Issuer"]
    for each in objects:
        if each.get("webhooks"):
            assert each["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": "gpus/x-gpu-admission-tls"}


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ("image.repository=registry.example:5000/gpu-admission", "registry.example:5000/gpu-admission:{version}"),
        ("image.tag=v1.2", "gpu-admission:v1.2"),
        (f"image.digest=sha256:{'0' * 64}", f"gpu-admission@sha256:{'0' * 64}"),
    ],
)
def test_the_image(values, image):
    version = fast_yaml.load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert container(template("--set", values))["image"] == image.format(version=version)


def test_labels_are_on_everything():
    objects = template(
        "--set", "extraLabels.team=ml,metrics.dashboard.enabled=true,metrics.prometheusRule.enabled=true"
    )
    pod = one(objects, "Deployment")["spec"]["template"]
    for each in [*objects, pod]:
        assert each["metadata"]["labels"]["team"] == "ml", each["metadata"]
    assert "team" not in one(objects, "Deployment")["spec"]["selector"]["matchLabels"]  # which can never change


def test_monitoring():
    shown = "metrics.{0}.enabled=true,metrics.{0}.labels.release=prom"
    on = ",".join(shown.format(each) for each in ("podMonitor", "prometheusRule", "dashboard"))
    objects = template("--set", on, release="x", namespace="gpus")
    for kind in ("PodMonitor", "PrometheusRule"):
        assert one(objects, kind)["metadata"]["labels"]["release"] == "prom"
    pods = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert one(objects, "PodMonitor")["spec"]["selector"]["matchLabels"].items() <= pods.items()
    alerts = fast_yaml.load((ROOT / "deploy" / "monitoring" / "alerts.yaml").read_text())
    rules = one(objects, "PrometheusRule")["spec"]
    assert [rule["alert"] for rule in rules["groups"][0]["rules"]] == [r["alert"] for r in alerts["groups"][0]["rules"]]
    expressions = " ".join(rule["expr"] for rule in rules["groups"][0]["rules"])
    assert 'namespace="gpus", deployment="x-gpu-admission"' in expressions
    assert '"gpu-admission"' not in expressions
    dashboard = one(objects, "ConfigMap", "x-gpu-admission-dashboard")["data"]["gpu-admission.json"]
    assert json.loads(dashboard) == json.loads((ROOT / "deploy" / "monitoring" / "dashboard.json").read_text())


def test_a_service_monitor_has_a_port_to_scrape():
    objects = template("--set", "metrics.serviceMonitor.enabled=true")
    (endpoint,) = one(objects, "ServiceMonitor")["spec"]["endpoints"]
    service = one(objects, "Service")
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert (
        one(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
        <= service["metadata"]["labels"].items()
    )


def test_who_may_reach_the_review_port():
    source = [{"ipBlock": {"cidr": "10.0.0.0/28"}}]
    objects = template(
        "--set-json", f"networkPolicy.from={json.dumps(source)}", "--set", "networkPolicy.apiServerPorts={8443}"
    )
    spec = one(objects, "NetworkPolicy")["spec"]
    review, health = spec["ingress"]
    assert (review["from"], [port["port"] for port in review["ports"]]) == (source, ["webhook"])
    assert (health.get("from"), [port["port"] for port in health["ports"]]) == (None, ["health"])
    assert spec["egress"] == [{"ports": [{"port": 8443, "protocol": "TCP"}]}]


def test_what_can_be_left_out():
    off = "podDisruptionBudget.enabled=false,networkPolicy.enabled=false,priorityQuota=false,metrics.scrapeAnnotations=false,priorityClassName="
    kinds = [each["kind"] for each in template("--set", off)]
    assert not {"PodDisruptionBudget", "NetworkPolicy", "ResourceQuota"}.intersection(kinds)
    pod = one(template("--set", off), "Deployment")["spec"]["template"]
    assert "annotations" not in pod["metadata"]
    assert "priorityClassName" not in pod["spec"]


def test_a_priority_class_of_ones_own_needs_no_quota():
    objects = template("--set", "priorityClassName=important")
    assert "ResourceQuota" not in [each["kind"] for each in objects]


def everything(*args):
    connected = ("--api-versions", "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration")
    done = helm("template", NAME, CHART, "--namespace", NAME, *KUBERNETES, *connected, *args)
    return [each for each in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if each]


def test_the_test_pod_is_not_a_replica():
    objects = everything()
    tests = [each for each in objects if each["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"]
    assert sorted(each["kind"] for each in tests) == ["Pod", "Role", "RoleBinding", "ServiceAccount"]
    pod = one(tests, "Pod")
    selector = one(objects, "Service")["spec"]["selector"]
    assert not selector.items() <= pod["metadata"]["labels"].items()
    assert one(tests, "Role")["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}]
    assert pod["spec"]["containers"][0]["args"] == ["probe", "--namespace=default", "--stage=enforce"]


def test_what_is_applied_without_helm_keeps_its_webhooks():
    """`helm template | kubectl apply` applies hooks too: the empty configurations of the uninstallation must not be there."""
    plain_output = helm("template", NAME, CHART, "--namespace", NAME, *KUBERNETES).stdout
    assert "pre-delete" not in plain_output
    hooks = [e for e in everything() if e["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-delete"]
    assert [(each["kind"], each["webhooks"]) for each in hooks] == [
        ("MutatingWebhookConfiguration", []), ("ValidatingWebhookConfiguration", []),
    ]  # fmt: skip
