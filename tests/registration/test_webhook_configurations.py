"""The webhook configurations as plain objects: what must hold under any policy."""

import functools
import json
import re

import fast_yaml
import pytest
import touching

from gpu_admission import rules
from gpu_admission.commands.object_yaml import to_yaml
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration import (
    claim_conditions,
    custom_kinds,
    gpu_names,
    match_conditions,
    server_access,
    webhook_configurations,
)
from gpu_admission.registration.regex_trie import END, alternatives, quoted
from gpu_admission.rules import gpu_markers, triggers
from gpu_admission.workloads import resources

SHIPPED = loader.shipped()
ALWAYS = {
    ("e", "name"),
    ("m", "name"),
    ("m", "mountPath"),
    ("v", "name"),
}  # Kubernetes writes them even if they are empty


def configured(policy="default", **options):
    if isinstance(policy, str) and not options:
        return shipped(policy)
    loaded = loader.load(policy) if isinstance(policy, str) else policy
    return webhook_configurations.configurations(loaded, webhook_configurations.RegistrationOptions(**options))


@functools.cache
def shipped(policy):
    return webhook_configurations.configurations(loader.load(policy), webhook_configurations.RegistrationOptions())


def hooks(policy="default", **options):
    return [hook for obj in configured(policy, **options) for hook in obj["webhooks"]]


def named(policy, name):
    """Return the condition of a webhook on what touches a GPU."""
    (hook,) = (hook for hook in hooks(policy) if hook["name"].startswith(f"{name}."))
    return next(each["expression"] for each in hook["matchConditions"] if each["name"] == "touches-a-gpu")


@pytest.mark.parametrize("policy", SHIPPED)
class TestEveryShippedPolicy:
    def test_only_validation_of_pods_fails_closed(self, policy):
        assert [hook["name"] for hook in hooks(policy) if hook["failurePolicy"] == "Fail"] == [
            "pods.gpu-admission.io",
            "marks.gpu-admission.io",
        ]

    def test_every_webhook_has_a_condition_and_is_harmless(self, policy):
        for hook in hooks(policy):
            assert hook["sideEffects"] == "None"
            assert hook["matchPolicy"] == "Equivalent"
            assert hook["admissionReviewVersions"] == ["v1"]
            assert hook["timeoutSeconds"] <= 5
            assert 0 < len(hook["matchConditions"]) <= 64
            assert all("*" not in rule["resources"] and "*" not in rule["apiGroups"] for rule in hook["rules"])
            (selector,) = hook["namespaceSelector"]["matchExpressions"]
            assert (selector["key"], selector["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
            assert {"kube-system", "gpu-admission"} <= set(selector["values"])
            assert "*" not in "".join(selector["values"])

    def test_optional_fields_are_guarded(self, policy):
        """A selection that can fail would reject the pod without calling the webhook."""
        for hook in hooks(policy):
            for condition in hook["matchConditions"]:
                bare = re.sub(r"'(\\.|[^'\\])*'", "''", condition["expression"])
                for holder, selected in re.findall(r"(?<![\w.])(object|oldObject|c|e|f|m|v|t|o)\.(\w+)(?!\w*\()", bare):
                    guarded = f"has({holder}.{selected})" in bare or f"has({holder}.{selected}." in bare
                    assert guarded or (holder, selected) in ALWAYS, (holder, selected, condition)

    def test_patterns_compile_and_know_every_name(self, policy):
        loaded = loader.load(policy)
        shapes, near = re.compile(gpu_names.shapes()), re.compile(gpu_names.half_right(loaded))
        assert {*resources.known_names(), *loaded.own_resources} == set(gpu_names.names(loaded))
        for name in ("nvidia.com/mig-1g.5gb", "amd.com/cpx_nps4", "huawei.com/Ascend910B-memory"):
            assert shapes.search(name), name
        assert re.search(gpu_names.like_mig(), "nvidia/mig-1g-5gb")
        for name in ("nvidia.com/gup", "nvidea.com/gpu", "huawei.com/Acsend910", "habana.al/gaudi"):
            assert near.search(name), name
        for name in (
            "cpu",
            "memory",
            "hugepages-2Mi",
            "example.com/foo",
            "rdma/hca",
            "koordinator.sh/rdma",
            "aliyun.com/eni",
            "google.com/fuse",
            "x.com/migrations",
        ):
            assert not shapes.search(name), name
            assert not near.search(name), name

    def test_is_plain_data(self, policy):
        objects = configured(policy)
        assert list(fast_yaml.load_all(to_yaml(objects))) == json.loads(json.dumps(objects)) == objects


def test_shapes_are_tried_on_names_of_their_domains_only():
    for shape in resources.patterns():
        domain, slash, _ = shape.partition("/")
        assert slash
        assert re.fullmatch(r"[a-z0-9-]+(\\\.[a-z0-9-]+)+", domain), shape


def test_expressions_stay_short_enough_to_parse():
    """CEL accepts 100,000 characters. The cost is checked by the end-to-end tests."""
    for hook in hooks(touching.EVERY_RULE):
        for condition in hook["matchConditions"]:
            assert len(condition["expression"]) < 90_000, (hook["name"], condition["name"])


class TestOptions:
    def test_service_and_route(self):
        first = hooks(service="gate", namespace="infra", port=8443, route="strict")[0]
        assert first["clientConfig"] == {
            "service": {"name": "gate", "namespace": "infra", "path": "/mutate/strict", "port": 8443}
        }
        assert "infra" in first["namespaceSelector"]["matchExpressions"][0]["values"]

    def test_url_and_bundle(self):
        client = hooks(url="https://127.0.0.1:8443/", ca_bundle=b"x")[-1]["clientConfig"]
        assert client == {"url": "https://127.0.0.1:8443/validate", "caBundle": "eA=="}

    def test_fail_open(self):
        assert {hook["failurePolicy"] for hook in hooks(fail_open=True)} == {"Ignore"}

    def test_annotations(self):
        assert all(obj["metadata"]["annotations"] == {"a": "b"} for obj in configured(annotations={"a": "b"}))
        assert all("annotations" not in obj["metadata"] for obj in configured())


class TestThePolicyShapesThem:
    def names(self, policy):
        return gpu_names.names(policy)

    def test_extra_resources(self):
        policy = Policy("p", {"resources": {"extra": ["example.com/Accelerator+"]}})
        assert "example.com/Accelerator+" in self.names(policy)
        assert "example.com/Accelerator" not in self.names(policy)

    def test_a_runtime_class_of_ones_own_is_read_on_gpu_pods_only(self):
        policy = Policy("p", {"runtimeClassName": "its-mine"})
        assert "its-mine" not in hooks(policy)[0]["matchConditions"][0]["expression"]

    def exempting(self, policy):
        return [
            [each["expression"] for each in hook["matchConditions"] if each["name"] == "not-exempt"]
            for hook in hooks(policy)
        ]

    def test_who_is_exempt(self):
        """The engine does not judge them, so no webhook is registered for them."""
        name = "request.?userInfo.?username.orValue('')"
        said = self.exempting(Policy("p", {"exempt": {"users": ["b", "a:*", "", "b"]}}))
        assert said == [[f"!({name} in ['a:*', 'b'] ||\n({name} != '' && {name}.matches('^(?s:a:.*)$')))"]] * 8
        assert self.exempting(Policy("p", {"exempt": {"users": ["it's"]}})) == [[rf"!({name} in ['it\'s'])"]] * 8

    def test_namespaces_that_are_exempt_by_a_pattern(self):
        policy = Policy("p", {"exempt": {"namespaces": ["plain", "gpu-?"]}})
        name = "request.?namespace.orValue('')"
        assert self.exempting(policy)[0] == [
            f"!({name} in ['gpu-?'] ||\n({name} != '' && {name}.matches('^(?s:gpu-.)$')))"
        ]
        (selector,) = hooks(policy)[0]["namespaceSelector"]["matchExpressions"]
        assert {"plain", "gpu-?"} & set(selector["values"]) == {"plain"}

    @pytest.mark.parametrize("exempt", [{}, {"users": [], "namespaces": []}, {"namespaces": ["plain"]}])
    def test_nobody_is_exempt(self, exempt):
        assert self.exempting(Policy("p", {"exempt": exempt})) == [[]] * 8

    def test_more_exemptions_than_a_condition_can_hold_are_refused(self):
        users = [f"system:serviceaccount:team-{number}:*" for number in range(12_000)]
        with pytest.raises(ValueError, match=r"spec\.exempt has 12000 entries.*write patterns"):
            hooks(Policy("p", {"exempt": {"users": users}}))
        with pytest.raises(ValueError, match=r"spec\.exempt has 12002 entries"):
            hooks(Policy("p", {"exempt": {"namespaces": [f"team-{number}" for number in range(12_000)]}}))
        assert len(hooks(Policy("p", {"exempt": {"users": users[:500]}}))) == 8

    def test_every_pod(self):
        pods = hooks(Policy("p", {"visibleDevices": {"everyPod": True}}))
        assert [each["name"] for each in pods[0]["matchConditions"]] == ["not-a-mirror-pod"]

    def test_markers_count_only_where_a_rule_in_force_reads_them(self):
        def condition(rules):
            return named(Policy("p", {"rules": rules}), "pods")

        assert "tolerations" in condition({})  # GPU208 warns
        assert "tolerations" not in condition({"GPU208": "off"})
        assert "tolerations" in condition({"GPU208": "off", "GPU206": "audit"})
        assert "prefix.orValue('') == ''" not in condition({})
        assert "prefix.orValue('') == ''" in condition({"GPU310": "deny"})
        assert "runtimeClassName" not in condition({"GPU204": "off"})
        assert "hostIPC" not in condition({"GPU309": "off"})
        assert "hostPath" not in condition({"GPU304": "off"})

    def test_marks_count_only_where_a_rule_looks_at_them(self):
        off = Policy("p", {"rules": {"GPU306": "off", "GPU307": "off"}})
        assert "marks.gpu-admission.io" not in {hook["name"] for hook in hooks(off)}
        assert "marks.gpu-admission.io" in {hook["name"] for hook in hooks(Policy("p", {"rules": {"GPU306": "off"}}))}

    def test_claims_are_judged_where_a_rule_on_them_is_in_force(self):
        def claims(*policies):
            return [each for each in configured_hooks(*policies) if each["name"].startswith("claims.")]

        rules_on_claims = [rule.id for rule in rules.ALL if rule.when is triggers.claim_object]
        none = Policy("p", {"rules": dict.fromkeys(rules_on_claims, "off")})
        assert claims(none) == []
        assert len(claims(none, Policy("q"))) == 1
        (hook,) = claims(Policy("p"))
        assert hook["failurePolicy"] == "Ignore"
        (rule,) = hook["rules"]
        assert rule["apiVersions"] == ["*"]
        assert set(rule["resources"]) == {"resourceclaims", "resourceclaimtemplates", "deviceclasses"}

    def test_a_class_that_the_policy_calls_a_gpu_is_not_among_the_others(self):
        def others(spec):
            return claim_conditions.of_object(Policy("p", spec))

        assert "'dra.net'" in others({})
        assert "'dra.net'" not in others({"cluster": {"claims": {"classes": ["dra.*"]}}})
        assert "gpu.nvidia.com" not in others({})

    def test_workloads(self):
        entry = {"apiVersion": "example.com/v1", "kind": "Policy", "podSpecs": ["/spec/template/spec"]}
        (custom,) = (
            each["rules"] for each in hooks(Policy("p", {"workloads": [entry]})) if each["name"].startswith("custom")
        )
        assert {"example.com": ["policies"]}.items() <= {r["apiGroups"][0]: r["resources"] for r in custom}.items()


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("PyTorchJob", "pytorchjobs"), ("RayCluster", "rayclusters"), ("Policy", "policies"), ("Gateway", "gateways"), ("Mesh", "meshes"), ("Class", "classes"), ("Box", "boxes"), ("Batch", "batches")],
)  # fmt: skip
def test_plurals(kind, plural):
    assert custom_kinds.plural(kind) == plural


class TestAccess:
    def rules(self, **how):
        objects = server_access.access(
            webhook_configurations.RegistrationOptions(name="n", service="s", namespace="ns"), **how
        )
        for obj in objects:
            if obj["kind"].endswith("Binding"):
                assert obj["subjects"] == [{"kind": "ServiceAccount", "name": "s", "namespace": "ns"}]
                assert obj["roleRef"]["kind"] in {other["kind"] for other in objects}
        return [rule for obj in objects for rule in obj.get("rules", ())]

    def test_names_everything(self):
        for rule in self.rules(secret="the-secret"):
            assert rule["resourceNames"] in (["n"], ["the-secret"])
            assert rule["verbs"] == ["get", "update"]

    def test_who_does_not_keep_certificates_reads_no_secret(self):
        (rule,) = self.rules(keeps=False)
        assert (rule["verbs"], "secrets" in rule["resources"]) == (["get"], False)


class TestAlternatives:
    @pytest.mark.parametrize(
        ("words", "pattern"),
        [
            (["a"], "a"),
            (["ab", "ac"], "a(b|c)"),
            (["ab", "abc"], "ab"),
            (["ab" + END, "abc"], "ab($|c)"),
            (["a.b", "a-b"], r"a(-b|\.b)"),
            (["", "x"], ""),
        ],
    )
    def test_common_beginnings_are_written_once(self, words, pattern):
        assert alternatives(map(quoted, words)) == pattern

    @pytest.mark.parametrize(
        "words",
        [tuple(gpu_markers.DEVICE_LISTS), tuple(gpu_markers.TRUSTED_ANNOTATIONS), tuple(resources.known_names())],
    )
    def test_it_matches_the_words_and_nothing_shorter(self, words):
        pattern = re.compile(f"^{alternatives(map(quoted, words))}")
        for word in words:
            assert pattern.match(word)
            assert pattern.match(word + "x")
            assert bool(pattern.match(word[:-1])) == any(word[:-1].startswith(other) for other in words)


class TestTexts:
    @pytest.mark.parametrize(
        ("said", "written"),
        [
            ("a", "'a'"),
            ("it's", r"'it\'s'"),
            ("\\", r"'\\'"),
            ("\n\\n", r"'\U0000000A\\n'"),
            ("é\u2028", r"'é\U00002028'"),
        ],
    )
    def test_literals(self, said, written):
        assert match_conditions.text(said) == written


class TestSeveralPolicies:
    """One configuration for all policies: what any of them judges is sent, unless the one in force exempts it."""

    TEAMS = Policy("teams", {"match": {"namespaces": ["team-*", "lab"]}, "exempt": {"namespaces": ["lab", "a"]}})
    REST = Policy(
        "rest",
        {
            "exempt": {"namespaces": ["lab", "gpu-operator", "team-x"], "users": ["bob"]},
            "resources": {"extra": ["x.y/z"]},
        },
    )

    def judged(self, *policies):
        return [
            {each["name"]: each["expression"] for each in hook["matchConditions"]}.get("not-exempt", "")
            for hook in configured_hooks(*policies)
        ]

    def left_out(self, *policies):
        (values,) = {
            tuple(hook["namespaceSelector"]["matchExpressions"][0]["values"]) for hook in configured_hooks(*policies)
        }
        return set(values) - {"kube-system", "gpu-admission"}

    def test_a_namespace_is_left_out_where_its_own_policy_says_so(self):
        assert self.left_out(self.TEAMS, self.REST) == {"lab", "gpu-operator"}
        assert self.left_out(self.REST, self.TEAMS) == {"lab", "gpu-operator", "team-x"}
        assert self.left_out(self.TEAMS) == {"lab", "a"}, "what it is not for is not sent either"

    def test_the_condition_follows_the_order(self):
        (expression,) = set(self.judged(self.TEAMS, self.REST))
        inside = "request.?namespace.orValue('') in ['lab', 'team-*']"
        assert expression.startswith(f"(({inside} ||")
        assert f"(!({inside} ||" in expression
        assert expression.endswith("!(request.?namespace.orValue('') in ['team-x']))")
        assert "['bob']" in expression
        (expression,) = set(self.judged(self.REST, self.TEAMS))
        assert "team-*" not in expression, "the second never judges"

    def test_one_policy_for_some_namespaces(self):
        (expression,) = set(self.judged(self.TEAMS))
        assert expression.startswith("(request.?namespace.orValue('') in ['lab', 'team-*'] ||")
        assert "bob" not in expression

    def test_what_any_of_them_reads_is_sent(self):
        first = configured_hooks(self.TEAMS, self.REST)[0]["matchConditions"]
        touches = next(each["expression"] for each in first if each["name"] == "touches-a-gpu")
        alone = next(
            each["expression"] for each in hooks(self.TEAMS)[0]["matchConditions"] if "touches" in each["name"]
        )
        assert alone in touches
        assert "'x.y/z'" in touches
        same = configured_hooks(self.TEAMS, Policy("copy", {}))[0]["matchConditions"]
        assert next(each["expression"] for each in same if "touches" in each["name"]) == alone

    def test_workloads_of_all(self):
        entry = {"apiVersion": "example.com/v1", "kind": "Train", "podSpecs": ["/spec"]}
        made = configured_hooks(self.TEAMS, Policy("w", {"workloads": [entry]}))
        (custom,) = (each["rules"] for each in made if each["name"].startswith("custom"))
        assert {"example.com": ["trains"]}.items() <= {r["apiGroups"][0]: r["resources"] for r in custom}.items()

    def test_every_pod_of_one_is_every_pod(self):
        pods = configured_hooks(self.TEAMS, Policy("e", {"visibleDevices": {"everyPod": True}}))[0]
        assert [each["name"] for each in pods["matchConditions"]] == ["not-exempt", "not-a-mirror-pod"]


def configured_hooks(*policies):
    return [
        hook
        for obj in webhook_configurations.configurations(policies, webhook_configurations.RegistrationOptions())
        for hook in obj["webhooks"]
    ]
