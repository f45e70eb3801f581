"""DRA: claims of a template that exists."""

import re

import pytest
from backends.sharing import COUNT, MEM, admitted, container, pod, policy

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader


class TestDra:
    def test_a_claim_of_the_policys_template_is_referred_to(self):
        after, findings = admitted(policy("dra"), pod({MEM: "8Gi"}))
        assert findings == []
        assert after["spec"]["containers"][0]["resources"] == {"claims": [{"name": "gpu"}]}
        assert after["spec"]["resourceClaims"] == [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]

    def test_one_claim_a_gpu_under_names_that_are_free(self):
        mine = [{"name": "gpu-1", "resourceClaimName": "mine"}]
        containers = [container({MEM: "8Gi", COUNT: "2"}, "a"), container({MEM: "8Gi"}, "b")]
        after, _ = admitted(policy("dra"), pod(containers=containers, resourceClaims=mine))
        names = [claim["name"] for claim in after["spec"]["resourceClaims"]]
        assert len(names) == len(set(names)) == 4
        used = [claim["name"] for one in after["spec"]["containers"] for claim in one["resources"]["claims"]]
        assert sorted(used) == sorted(names[1:])

    def test_a_template_named_with_dots_makes_claims_named_without(self):
        template = "gpu.large-memory.example.com-and-a-name-that-goes-on-for-a-while"
        after, findings = admitted(policy("dra", template=template), pod({MEM: "8Gi", COUNT: "2"}))
        assert findings == []
        claims = after["spec"]["resourceClaims"]
        assert {claim["resourceClaimTemplateName"] for claim in claims} == {template}
        for claim in claims:
            assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", claim["name"])
        names = [claim["name"] for claim in claims]
        assert after["spec"]["containers"][0]["resources"]["claims"] == [{"name": name} for name in names]

    @pytest.mark.parametrize(
        ("containers", "count", "refused"), [(1, 64, 0), (1, 65, 1), (2, 64, 0), (3, 43, 1), (129, 1, 1)]
    )
    def test_more_claims_than_any_node_can_meet_are_refused(self, containers, count, refused):
        before = pod(containers=[container({COUNT: str(count)}, f"c{n}") for n in range(containers)])
        after, findings = admitted(policy("dra"), before)
        assert [finding.rule for finding in findings] == ["GPU102"] * refused
        assert (after == before) is bool(refused)

    @pytest.mark.parametrize(("length", "refused"), [(200, 0), (250, 1)])
    def test_a_claim_whose_name_would_be_too_long_is_refused(self, length, refused):
        before = pod({MEM: "8Gi"})
        before["metadata"]["name"] = "p" * length
        after, findings = admitted(policy("dra"), before)
        assert [finding.rule for finding in findings] == ["GPU102"] * refused
        assert (after == before) is bool(refused)

    @pytest.mark.parametrize(("count", "refused"), [(32, 0), (33, 1)])
    def test_a_template_per_request_gives_what_a_claim_can(self, count, refused):
        one_for_all = policy("dra", templatePerRequest=True)
        after, findings = admitted(one_for_all, pod({MEM: "8Gi", COUNT: str(count)}))
        assert [finding.rule for finding in findings] == ["GPU102"] * refused
        assert ("resourceClaims" in after["spec"]) is not bool(refused)


SHARES = ("nvidia.com/mig-1g.5gb", "nvidia.com/mig-2g.48gb", "nvidia.com/mig-1g.10gb.shared", "nvidia.com/gpu.shared")


@pytest.mark.parametrize("name", SHARES)
def test_what_the_device_plugin_cuts_is_left_to_it(name):
    before = pod({name: 1})
    assert admitted(policy("dra"), before) == (before, [])


@pytest.mark.parametrize("name", SHARES)
def test_nor_is_it_translated_where_that_is_asked_for(name):
    everything = policy("dra")
    everything.spec["translateFrom"] = frozenset({"mig", "time-slicing"})
    before = pod({name: 1})
    after, findings = admitted(everything, before)
    assert after == before
    assert [finding.rule for finding in findings] == ["GPU102"]
    assert "percent" not in findings[0].message


@pytest.mark.parametrize("template", ["gpu", "gpu-8gi"])
def test_pods_with_claims_tolerate_the_taint_of_gpu_nodes_under_the_shipped_policy(template):
    before = pod(containers=[{**container(), "resources": {"claims": [{"name": "gpu"}]}}])
    before["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": template}]
    translated = pod({MEM: "8Gi"})
    for document in (before, translated) if template == "gpu" else (before,):
        after = Engine(rules.ALL, loader.load("dra")).mutate(document, "admission").object
        assert after["spec"]["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
        assert after["spec"]["resourceClaims"] == before["spec"]["resourceClaims"]


@pytest.mark.parametrize(
    ("parameters", "templates", "classes"),
    [
        ({"template": "gpu"}, ["gpu"], []),
        ({"template": "gpu", "templatePerRequest": True}, ["gpu", "gpu-*"], []),
        ({"template": "x", "deviceClass": "mine", "migDeviceClass": "cut"}, ["x"], ["mine", "cut"]),
        ({}, [], []),
    ],
)
def test_what_the_backend_names_is_a_gpus(parameters, templates, classes):
    facts = Policy("test", {"backend": {"name": "dra", **parameters}}).claims
    assert list(facts.templates.patterns) == templates
    assert list(facts.classes.patterns) == classes
    assert not Policy("test", {"backend": {"name": "exclusive", **parameters}}).claims.templates
