"""Reading claims, and what decides whether one gives a GPU: the input, the policy, the table."""

import itertools

import pytest

from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.workloads import claims, device_classes, resources
from gpu_admission.workloads.claim_index import MOST_OBJECTS, NO_CLAIMS, ClaimIndex
from rules.claim_objects import claim, container, device_class, entry, exactly, pod, template

NOBODY = Policy("plain")


def seen(*documents):
    index = ClaimIndex()
    index.enter(documents)
    return index


def view(made, *documents, policy=NOBODY):
    (workload,) = Engine((), policy, seen(*documents, made)).read(made)
    return workload.pods[0]


def stated(**facts):
    return Policy("p", {"cluster": {"claims": facts}})


class TestReading:
    @pytest.mark.parametrize(
        "obj",
        [
            claim(exactly(count=2)),
            template(exactly(count=2)),
            {**template(exactly(count=2)), "spec": claim(exactly(count=2))["spec"]},
            claim({"name": "gpu", "deviceClassName": "gpu.nvidia.com", "count": 2}),
        ],
        ids=["claim", "template", "a level too high", "v1beta1"],
    )
    def test_every_form(self, obj):
        spec = claims.read_spec(obj)
        (request,) = spec.requests
        assert (request.name, request.class_name, request.count, request.mode) == (
            "gpu",
            "gpu.nvidia.com",
            2,
            "ExactCount",
        )
        assert spec.request("gpu") is request

    def test_alternatives(self):
        small, big = {"name": "small", "deviceClassName": "a.b"}, {"name": "big", "deviceClassName": "c.d"}
        spec = claims.read_spec(claim({"name": "gpu", "firstAvailable": [small, big]}))
        assert [each.class_name for each in spec.all_requests()] == ["a.b", "c.d"]
        assert spec.request("gpu/big").class_name == "c.d"
        assert spec.names() == ["gpu", "gpu/small", "gpu/big"]

    @pytest.mark.parametrize("spec", [None, [], "x", 5, {"devices": 5}, {"devices": {"requests": "x"}}, {"spec": [1]}])
    @pytest.mark.parametrize("kind", ["ResourceClaim", "ResourceClaimTemplate"])
    def test_anything_is_read(self, spec, kind):
        assert claims.read_spec({"kind": kind, "spec": spec}).requests == ()

    @pytest.mark.parametrize("count", [None, "2", 1.5, True, [1]])
    def test_a_count_that_is_none(self, count):
        (request,) = claims.read_spec(claim(exactly(count=count))).requests
        assert request.count is None


class TestWhose:
    MADE = pod([entry()], container("gpu"), container(name="other"))

    @pytest.mark.parametrize(
        ("name", "gpu"), [("gpu.nvidia.com", True), ("gpu.amd.com", True), ("dra.net", False), ("large", None)]
    )
    def test_the_table_knows_classes(self, name, gpu):
        made = view(self.MADE, template(exactly(device_class=name)))
        first, other = made.containers
        assert made.claims.claims[0].gpu is gpu
        assert made.wants_gpu is bool(gpu)
        assert made.may_want_gpu is (gpu is not False)
        assert made.serves(first) is bool(gpu)
        assert made.claims.serve(first) is gpu
        assert not made.serves(other)

    def test_the_policy_knows_classes(self):
        made = view(self.MADE, template(exactly(device_class="large-a")), policy=stated(classes=["large-*"]))
        assert made.wants_gpu
        assert made.claims.vendors() == {"any"}

    @pytest.mark.parametrize(
        ("facts", "gpu"), [({"templates": ["one"]}, True), ({"templates": ["o*"]}, True), ({"claims": ["one"]}, False)]
    )
    def test_the_policy_knows_templates(self, facts, gpu):
        assert view(self.MADE, policy=stated(**facts)).wants_gpu is gpu

    def test_the_policy_knows_claims(self):
        made = pod([{"name": "gpu", "resourceClaimName": "one"}], container("gpu"))
        assert view(made, policy=stated(claims=["one"])).wants_gpu

    def test_what_is_seen_comes_before_the_policy(self):
        nic = template(exactly(device_class="dra.net"))
        assert not view(self.MADE, nic, policy=stated(templates=["one"])).may_want_gpu

    @pytest.mark.parametrize(
        ("fields", "gpu"),
        [
            ({"driver": "gpu.nvidia.com"}, True),
            ({"driver": "dra.net"}, False),
            ({"extended": "amd.com/gpu"}, True),
            ({}, None),
            ({"driver": "example.com"}, None),
        ],
    )
    def test_a_class_of_the_input_comes_first(self, fields, gpu):
        asked = template(exactly(device_class="large"))
        assert view(self.MADE, asked, device_class("large", **fields)).claims.claims[0].gpu is gpu

    def test_a_request_narrows_it_down(self):
        both = template(exactly("gpu"), exactly("nic", "dra.net"))
        used = [container({"name": "gpu", "request": each}, name=each) for each in ("gpu", "nic")]
        made = view(pod([entry()], *used), both)
        assert [made.serves(each) for each in made.containers] == [True, False]

    def test_the_old_source_names_it_as_well(self):
        made = pod([{"name": "gpu", "source": {"resourceClaimTemplateName": "one"}}], container("gpu"))
        assert view(made, template(exactly())).wants_gpu

    def test_admission_sees_nothing(self):
        (workload,) = Engine((), NOBODY).read(self.MADE, "admission")
        assert workload.claim_index is NO_CLAIMS
        assert workload.pods[0].may_want_gpu
        assert not workload.pods[0].wants_gpu


class TestIndex:
    def test_namespaces(self):
        index = seen(
            template(exactly(count=1), namespace="a"), template(exactly(count=2), namespace="b"), claim(name="c")
        )
        count = {space: index.claim("ResourceClaimTemplate", "one", space).requests[0].count for space in ("a", "b")}
        assert count == {"a": 1, "b": 2}
        assert index.claim("ResourceClaimTemplate", "one", "elsewhere") is None
        assert index.claim("ResourceClaimTemplate", "one").requests[0].count == 1  # without a namespace, the first
        assert index.claim("ResourceClaim", "c", "any") is not None  # a file may omit the namespace

    def test_lists_and_typed_lists(self):
        both = [
            {"apiVersion": "v1", "kind": "List", "items": [template(exactly())]},
            {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimList", "items": [{"metadata": {"name": "c"}}]},
        ]
        index = seen(*both)
        assert index.claim("ResourceClaimTemplate", "one") is not None
        assert index.claim("ResourceClaim", "c") is not None

    def test_the_present_input_comes_before_the_run(self):
        index = ClaimIndex(lambda: [(10, template(exactly(count=2)))])
        assert index.claim("ResourceClaimTemplate", "one").requests[0].count == 2
        index.enter([template(exactly(count=1))])
        assert index.claim("ResourceClaimTemplate", "one").requests[0].count == 1
        index.enter([])
        assert index.claim("ResourceClaimTemplate", "one").requests[0].count == 2

    def test_of_several_in_a_run_nobody_knows_which(self):
        run = [(10, template(exactly(count=count))) for count in (1, 2)]
        assert ClaimIndex(lambda: run).claim("ResourceClaimTemplate", "one") is None
        assert ClaimIndex(lambda: [run[0], run[0]]).claim("ResourceClaimTemplate", "one") is not None

    def test_the_run_is_asked_once_and_only_if_need_be(self):
        asked = []
        index = ClaimIndex(lambda: asked.append(1) or [])
        index.enter([template(exactly())])
        assert index.find("ResourceClaimTemplate", "one")
        assert asked == []
        for _ in range(3):
            assert index.find("ResourceClaimTemplate", "two") is None
        assert asked == [1]

    def test_its_memory_is_bounded(self):
        taken = itertools.count()
        index = ClaimIndex(lambda: ((1, template(exactly(), name=f"t{next(taken)}")) for _ in itertools.count()))
        assert index.find("ResourceClaimTemplate", f"t{MOST_OBJECTS - 1}")
        assert index.find("ResourceClaimTemplate", f"t{MOST_OBJECTS}") is None

    def test_a_template_that_holds_itself_is_met_once(self):
        made = template(exactly())
        made["spec"]["spec"]["devices"]["config"] = [made]
        assert seen(made).claim("ResourceClaimTemplate", "one").request("gpu")


class TestTable:
    @pytest.mark.parametrize("name", device_classes.gpu_names())
    def test_every_class_is_a_resource(self, name):
        facts, resource = device_classes.known(name), resources.classify(device_classes.EXTENDED_PREFIX + name)
        assert (resource.vendor, resource.sharing, resource.unit) == (facts.vendor, facts.sharing, "device")

    def test_every_resource_of_a_class_is_known(self):
        named = [name for name in resources.known_names() if name.startswith(device_classes.EXTENDED_PREFIX)]
        assert {name.removeprefix(device_classes.EXTENDED_PREFIX) for name in named} == set(device_classes.gpu_names())

    def test_names_that_a_class_stands_for(self):
        big = device_class("big", extended="example.com/big", driver="gpu.nvidia.com")
        made = pod([], container(limits={"example.com/big": 1, f"{device_classes.EXTENDED_PREFIX}big": 1}))
        del made["spec"]["resourceClaims"]
        assert [gpu.resource.vendor for gpu in view(made, big).gpus] == ["nvidia", "nvidia"]
        assert view(made).gpus == ()
        prefixed = stated(classes=["b*"])
        assert [gpu.name for gpu in view(made, policy=prefixed).gpus] == [f"{device_classes.EXTENDED_PREFIX}big"]
