"""``deploy/chart`` by the real helm, without a cluster: what it renders, and what it refuses."""

import json

import fast_yaml
import pytest
import yaml
from helm import CHART, KUBERNETES, NAME, helm, one, refused, template

from gpu_admission.commands import chart
from gpu_admission.commands.main import main
from gpu_admission.policyfile import loader
from gpu_admission.registration import server_access, webhook_configurations
from gpu_admission.registration.in_tree import policies, versions

CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
DIGEST = f"sha256:{'a' * 64}"


def hooks(objects):
    return {kind: one(objects, kind)["webhooks"] for kind in CONFIGURATIONS}


def made(policies, **options):
    """The webhooks that `gpu-admission manifests` makes, in Python."""
    where = webhook_configurations.RegistrationOptions(**options)
    return {each["kind"]: each["webhooks"] for each in webhook_configurations.configurations(policies, where)}


@pytest.fixture
def own(tmp_path, capsys):
    """Write a values file as a user does; returns its path."""

    def write(*policies):
        assert main(["manifests", "--values", *[word for name in policies for word in ("-p", str(name))]]) == 0
        path = tmp_path / "policy-values.yaml"
        path.write_text(capsys.readouterr().out)
        return path

    return write


@pytest.fixture
def research(tmp_path):
    """A policy of one's own, for some namespaces; comments, quotes and characters beyond ASCII in it."""
    path = tmp_path / "research.yaml"
    text = loader.source("hami").replace("  name: hami", "  name: research", 1)
    path.write_text(text.replace("\nspec:\n", "\nspec:\n  match: {namespaces: ['team-*']}   # für “uns”: \\ @\n", 1))
    return path


class TestWhatFollowsFromThePolicy:
    @pytest.mark.parametrize("policy", loader.shipped())
    def test_every_shipped_policy_has_the_webhooks_that_manifests_makes(self, policy):
        objects = template("--set", f"policy.name={policy}")
        assert hooks(objects) == made(loader.load(policy))
        assert one(objects, "ConfigMap")["data"]["policy.yaml"].rstrip() == loader.source(policy).rstrip()

    def test_names_are_those_of_the_release(self):
        objects = template(release="x", namespace="gpus")
        name = f"x-{NAME}"
        assert hooks(objects) == made(loader.load("default"), name=name, service=name, namespace="gpus")
        assert {each["metadata"]["name"] for each in objects if each["kind"] in CONFIGURATIONS} == {name}
        args = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
        assert [arg for arg in args if arg.startswith(("--service", "--namespace", "--secret", "--webhook"))] == [
            f"--service={name}", "--namespace=gpus", f"--secret=gpus/{name}-tls", f"--webhook-configuration={name}",
        ]  # fmt: skip
        assert one(objects, "ServiceAccount")["metadata"] == {
            **one(objects, "Service")["metadata"], "name": name, "namespace": "gpus",
        }  # fmt: skip

    @pytest.mark.parametrize("certificates", ["self-signed", "cert-manager"])
    def test_rights_are_those_that_manifests_makes(self, certificates):
        objects = template("--set", f"certificates.source={certificates}", release="x", namespace="gpus")
        name = f"x-{NAME}"
        where = webhook_configurations.RegistrationOptions(name=name, service=name, namespace="gpus")
        wanted = server_access.access(where, f"{name}-tls", keeps=certificates == "self-signed")
        for each in wanted:
            found = one(objects, each["kind"])
            found["metadata"]["labels"] = each["metadata"]["labels"]
            assert found == each
        assert len(wanted) == len([each for each in objects if each["apiVersion"].startswith("rbac")])

    def test_policies_of_ones_own_in_their_order(self, own, research):
        objects = template("-f", own(research, "strict"))
        assert hooks(objects) == made([loader.load(str(research)), loader.load("strict")])
        data = one(objects, "ConfigMap")["data"]
        assert data == {"research.yaml": research.read_text(), "strict.yaml": loader.source("strict")}
        args = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
        mounted = [f"--policy=/etc/gpu-admission/{name}.yaml" for name in ("research", "strict")]
        assert [arg for arg in args if "--policy" in arg] == mounted

    def test_a_byte_order_mark_and_crlf_do_not_matter(self, own, tmp_path):
        path = tmp_path / "dos.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + loader.source("any").replace("\n", "\r\n").encode())
        objects = template("-f", own(path))
        assert fast_yaml.load(one(objects, "ConfigMap")["data"]["any.yaml"]) == fast_yaml.load(loader.source("any"))


class TestStages:
    @pytest.mark.parametrize(
        ("stage", "mode", "kinds", "failure"),
        [
            ("audit", "audit", CONFIGURATIONS[1:], {"Ignore"}),
            ("warn", "warn", CONFIGURATIONS[1:], {"Ignore"}),
            ("repair", "warn", CONFIGURATIONS, {"Ignore"}),
            ("enforce", "enforce", CONFIGURATIONS, {"Ignore", "Fail"}),
        ],
    )
    @pytest.mark.parametrize("policies", ["shipped", "own"])
    def test_one_value_leads_from_watching_to_enforcing(self, stage, mode, kinds, failure, policies, own, research):
        given = ["-f", own(research)] if policies == "own" else []
        objects = template("--set", f"stage={stage}", *given)
        found = [each for each in objects if each["kind"] in CONFIGURATIONS]
        assert tuple(each["kind"] for each in found) == tuple(kinds)
        assert {hook["failurePolicy"] for each in found for hook in each["webhooks"]} == failure
        (text,) = one(objects, "ConfigMap")["data"].values()
        source = fast_yaml.load(research.read_text() if policies == "own" else loader.source("default"))
        source["spec"]["mode"] = mode
        assert fast_yaml.load(text) == source
        assert loader.parse(text.encode(), "the ConfigMap").mode == mode

    @pytest.mark.parametrize("stage", ["warn", "repair"])
    def test_a_policy_that_only_audits_is_not_made_louder(self, stage, own, tmp_path):
        path = tmp_path / "quiet.yaml"
        path.write_text(loader.source("default").replace("mode: enforce", "mode: audit"))
        objects = template("--set", f"stage={stage}", "-f", own(path))
        assert fast_yaml.load(one(objects, "ConfigMap")["data"]["default.yaml"])["spec"]["mode"] == "audit"

    @pytest.mark.parametrize("policy", loader.shipped())
    def test_a_lowered_mode_is_all_that_changes(self, policy):
        """The text goes through Helm's YAML: numbers, "off" and quantities come out as they went in."""
        text = one(template("--set", f"policy.name={policy},stage=audit"), "ConfigMap")["data"]["policy.yaml"]
        before, after = (loader.parse(each.encode(), policy) for each in (loader.source(policy), text))
        assert after.spec == {**before.spec, "mode": "audit"}


@pytest.fixture
def in_tree(tmp_path, capsys):
    """Write the values of in-tree policies as a user does; returns its path."""

    def write(*arguments):
        assert main(["manifests", "--in-tree", "--values", *arguments]) == 0
        path = tmp_path / "in-tree.yaml"
        path.write_text(capsys.readouterr().out)
        return path

    return write


class TestInTree:
    def test_nothing_is_installed_but_what_manifests_makes(self, in_tree):
        objects = template("-f", in_tree("-p", "hami"), release="x", namespace="default")
        wanted = policies.objects([loader.load("hami")], f"x-{NAME}", versions.NEWEST)
        for each in (*objects, *wanted):
            assert each["metadata"].pop("labels")["app.kubernetes.io/name"] == NAME
        key = lambda each: (each["kind"], each["metadata"]["name"])  # noqa: E731
        assert sorted(objects, key=key) == sorted(wanted, key=key)

    @pytest.mark.parametrize(
        ("stage", "mutates", "actions"),
        [
            ("audit", False, {"Audit"}),
            ("warn", False, {"Warn"}),
            ("repair", True, {"Warn"}),
            ("enforce", True, {"Warn", "Deny"}),
        ],
    )
    def test_stages(self, in_tree, stage, mutates, actions):
        objects = template("-f", in_tree("-p", "default"), "--set", f"stage={stage}")
        assert any(each["kind"].startswith("Mutating") for each in objects) == mutates
        assert {action for each in objects for action in each["spec"].get("validationActions", ())} == actions
        closed = "Fail" in {each["spec"].get("failurePolicy") for each in objects}
        assert closed == (stage == "enforce")

    def test_what_does_not_go_together(self, in_tree, own, research):
        values = in_tree("-p", "default")
        old = refused("-f", values, "--kube-version", "1.34.2")
        assert "inTree needs Kubernetes 1.36 and this is v1.34.2: write it with" in old
        assert "--in-tree --values --kubernetes-version 1.34`" in old
        validating = in_tree("-p", "default", "--kubernetes-version", "1.30")
        older = refused("-f", validating, "--kube-version", "1.29.0")
        assert "inTree needs Kubernetes 1.30 and this is v1.29.0: leave inTree out to use the webhook" in older
        assert 'policy.name: "hami" is not used with inTree' in refused("-f", values, "--set", "policy.name=hami")
        assert "audit.enabled needs the policy of a webhook" in refused("-f", values, "--set", "audit.enabled=true")
        assert "inTree was made by gpu-admission 9 and this chart is for" in refused(
            "-f", values, "--set-string", "inTree.version=9"
        )
        assert "inTree and policy.files exclude each other" in refused("-f", values, "-f", own(research))

    def test_an_older_api_server_judges_and_does_not_repair(self, in_tree):
        objects = template("-f", in_tree("-p", "default", "--kubernetes-version", "1.30"), "--kube-version", "1.30.0")
        assert {each["kind"] for each in objects} == {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


class TestPoliciesAsObjects:
    """``policies.source: crd``: what is rendered is what ``gpu-admission manifests --policy-source crd`` makes."""

    @pytest.mark.parametrize("every_pod", [False, True])
    def test_definition_webhooks_and_rights(self, every_pod, capsys):
        arguments = ["--every-pod"] if every_pod else []
        assert main(["manifests", "--policy-source", "crd", "--name", "x-gpu-admission", "--service",
                     "x-gpu-admission", "--namespace", "gpus", "--secret", "x-gpu-admission-tls", *arguments]) == 0  # fmt: skip
        wanted = list(fast_yaml.load_all(capsys.readouterr().out))
        value = f"policies.source=crd,policies.everyPod={str(every_pod).lower()}"
        found = template("--set", value, release="x", namespace="gpus")
        key = lambda each: (each["kind"], each["metadata"]["name"])  # noqa: E731
        found = {key(each): each for each in found}
        for each in wanted:
            other = found[key(each)]
            for one_of_them in (each, other):
                one_of_them["metadata"].pop("labels")
                one_of_them["metadata"].pop("annotations", None)
            assert other == each, key(each)
        assert not [kind for kind, _ in found if kind == "ConfigMap"]

    def test_the_definition_stays_unless_that_is_not_wanted(self):
        keep = {"helm.sh/resource-policy": "keep"}
        for values, annotations in (("", keep), (",policies.crd.keep=false", None)):
            objects = template("--set", f"policies.source=crd{values}")
            assert one(objects, "CustomResourceDefinition")["metadata"].get("annotations") == annotations
        objects = template("--set", "policies.source=crd,policies.crd.install=false")
        assert "CustomResourceDefinition" not in [each["kind"] for each in objects]
        assert "CustomResourceDefinition" not in [each["kind"] for each in template()]

    @pytest.mark.parametrize(
        ("stage", "mode"), [("audit", "audit"), ("warn", "warn"), ("repair", "warn"), ("enforce", None)]
    )
    def test_the_stage_is_a_ceiling_on_the_mode_of_all_policies(self, stage, mode):
        args = one(template("--set", f"policies.source=crd,stage={stage}"), "Deployment")["spec"]["template"]["spec"]
        given = [arg for arg in args["containers"][0]["args"] if arg.startswith("--mode")]
        assert given == ([f"--mode={mode}"] if mode else [])

    @pytest.mark.parametrize("certificates", ["self-signed", "cert-manager"])
    def test_the_lease_is_where_the_server_looks_for_it(self, certificates):
        from gpu_admission.commands.main import complete_parser

        values = f"policies.source=crd,certificates.source={certificates}"
        objects = template("--set", values, release="x", namespace="gpus")
        spec = one(objects, "Deployment")["spec"]["template"]["spec"]
        parsed = complete_parser().parse_args(spec["containers"][0]["args"])
        lease = one(objects, "Lease")["metadata"]
        assert (lease["namespace"], lease["name"]) == (parsed.service_namespace, f"{parsed.service_name}-policies")
        assert "policy" not in [volume["name"] for volume in spec["volumes"]]

    def test_what_does_not_go_together(self, own, research):
        crd = ("--set", "policies.source=crd")
        assert "policy.files and policies.source crd exclude each other" in refused(*crd, "-f", own(research))


class TestContradictions:
    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ("policy.name=defualt", 'policy.name: "defualt" is not a shipped policy, choose from any, default,'),
            ("policy.name=../rbac", "is not a shipped policy"),
            ("policy.name=", "policy: set policy.name to a shipped policy"),
            ("image.tag=v1,image.digest=" + DIGEST, "image.tag and image.digest: set one of them"),
            ("certificates.source=secret", "certificates.secretName: with source secret, name the Secret"),
            ("certificates.source=secret,certificates.secretName=a", "certificates.caBundle: with source secret"),
            (
                "certificates.caBundle=x",
                "certificates.caBundle: is only for source secret, with self-signed it is filled",
            ),
            ("certificates.issuerRef.name=a", "certificates.issuerRef: is only for source cert-manager"),
            (
                "metrics.podMonitor.enabled=true,metrics.serviceMonitor.enabled=true",
                "both would scrape every replica twice",
            ),
            (
                "extraLabels.app\\.kubernetes\\.io/name=x",
                "extraLabels: app.kubernetes.io/name is what the Service selects",
            ),
            ("extraLabels.helm\\.sh/chart=x", "extraLabels: the chart sets helm.sh/chart itself"),
            (
                "extraLabels.release=a,metrics.podMonitor.enabled=true,metrics.podMonitor.labels.release=b",
                "metrics.podMonitor.labels: release is set already",
            ),
            (
                "podAnnotations.prometheus\\.io/scrape=x",
                "podAnnotations: prometheus.io/scrape is set by metrics.scrapeAnnotations",
            ),
            (
                "metrics.serviceMonitor.enabled=true,service.port=8081",
                "service.port and server.ports.health are both 8081",
            ),
            (
                "certificates.source=cert-manager,certificates.secretName=gpu-admission-ca",
                "certificates.secretName: gpu-admission-ca is the Secret of the CA",
            ),
            (
                "certificates.source=cert-manager,certificates.issuerRef.kind=ClusterIssuer",
                "certificates.issuerRef.name: name the Issuer",
            ),
            ("server.ports.health=10250", "server.ports: webhook and health are both 10250"),
            ("test.namespace=kube-system", "test.namespace: kube-system is exempt from the webhook"),
            ("policies.source=crd,policy.name=mig", "gpu-admission policy show mig | kubectl apply -f -"),
            ("policies.source=crd,audit.enabled=true", "audit.enabled needs policies.source files"),
            ("policies.everyPod=true", "policies.everyPod: is only for policies.source crd"),
            ("test.namespace=gpu-admission", "test.namespace: gpu-admission is exempt from the webhook"),
        ],
    )
    def test_values_that_contradict_one_another_are_one_sentence(self, values, sentence):
        error = refused("--set", values)
        assert sentence in error
        line = next(line for line in error.splitlines() if line.startswith("Error: "))
        assert sentence in line

    @pytest.mark.parametrize(
        ("values", "place"),
        [
            ("stage=enforced", "stage"),
            ("replicas=0", "replicas"),
            ("policies.source=etcd", "source"),
            ("replicas=many", "replicas"),
            ("certificates.source=vault", "source"),
            ("certificate.source=secret", "certificate"),
            ("image.digest=sha256:abc", "digest"),
            ("image.repository=a b", "repository"),
            ("server.ports.webhook=0", "webhook"),
            ("server.ports.webhook=65536", "webhook"),
            ("test.namespace=Default", "namespace"),
            ("extraLabels.a=null,extraLabels.b=1", "extraLabels"),
            ("policy.files[0].name=../x,policy.files[0].content=x", "name"),
            ("networkPolicy.apiServerPorts=", "apiServerPorts"),
        ],
    )
    def test_the_schema_names_the_value(self, values, place):
        error = refused("--set", values)
        assert "values don't meet the specifications of the schema" in error
        assert place in error

    def test_policy_files_and_webhooks_belong_together(self, own, research, tmp_path):
        whole = fast_yaml.load(own(research).read_text())
        path = tmp_path / "values.yaml"

        def error(change, *args):
            values = json.loads(json.dumps(whole))
            change(values["policy"])
            path.write_text(yaml.safe_dump(values))
            return refused("-f", path, *args)

        again = "write both with `gpu-admission manifests -p FILE --values`"
        changed = error(lambda policy: policy["files"][0].update(content="changed"))
        assert f"policy.files was changed after policy.webhooks was made from it: {again}" in changed
        assert f"policy.files needs policy.webhooks, which is made from it: {again}" in error(
            lambda policy: policy.pop("webhooks")
        )
        old = error(lambda policy: policy["webhooks"].update(version="0.0.1"))
        assert f"policy.webhooks was made by gpu-admission 0.0.1 and this chart is for {chart.__version__}" in old
        both = error(lambda policy: policy.update(name="default"))
        assert "policy.name and policy.files exclude each other" in both
        assert "set policy.name" in error(lambda policy: policy.update(files=[], webhooks={}))

    @pytest.mark.parametrize("namespace", ["default", "kube-system", "kube-public"])
    def test_the_namespaces_of_kubernetes_are_for_others(self, namespace):
        error = refused(namespace=namespace)
        assert f"is {namespace}, and the webhook's own namespace is exempt and has a quota: add --namespace" in error

    @pytest.mark.parametrize("release", ["a.b", "1abc"])
    def test_a_release_whose_name_no_service_can_have(self, release):
        done = helm("template", release, CHART, "--namespace", NAME, *KUBERNETES, check=False)
        assert f'makes "{release}-gpu-admission", which is not a valid name of a Service' in done.stderr

    @pytest.mark.parametrize(("replicas", "pods"), [(2, "20"), (20, "45")])
    def test_the_quota_has_room_for_a_rollout(self, replicas, pods):
        quota = one(template("--set", f"replicas={replicas}"), "ResourceQuota")
        assert quota["spec"]["hard"]["pods"] == pods

    @pytest.mark.parametrize("version", ["1.25.0", "1.28.9"])
    def test_an_api_server_without_what_match_conditions_need(self, version):
        error = refused("--kube-version", version)
        assert f"chart requires kubeVersion: >=1.29.0-0 which is incompatible with Kubernetes v{version}" in error

    @pytest.mark.parametrize("version", ["1.29.0", "1.33.5-gke.100", "1.36.2+k3s1"])
    def test_later_ones_and_those_of_providers(self, version):
        assert template("--kube-version", version)

    def test_a_private_key_is_not_published(self, tmp_path):
        path = tmp_path / "ca.pem"
        path.write_text(f"{PEM}-----BEGIN PRIVATE KEY-----\n")
        args = (
            "--set",
            "certificates.source=secret,certificates.secretName=a",
            "--set-file",
            f"certificates.caBundle={path}",
        )
        assert "certificates.caBundle: holds a private key" in refused(*args)
