"""Where pods are found: every row of the table, objects in objects, unknown kinds, and none elsewhere."""

import pytest

from gpu_admission.policy.model import Policy
from gpu_admission.workloads import container, kinds, workload

POLICY = Policy("p", {"resources": {"extra": ["example.com/gpu"]}})
GPU = {"limits": {"nvidia.com/gpu": 1}}
POD_SPEC = {
    "initContainers": [
        {"name": "setup", "image": "i"},
        {"name": "proxy", "image": "i", "restartPolicy": "Always"},
    ],
    "containers": [{"name": "main", "image": "i", "resources": {"limits": {"nvidia.com/gpu": 1, "cpu": 2}}}],
    "ephemeralContainers": [{"name": "debug", "image": "i"}],
}


def read(document, policy=POLICY, origin="file"):
    return workload.read(document, policy, origin)


def obj(api_version, kind, **rest):
    return {"apiVersion": api_version, "kind": kind, **rest}


def at(path, value):
    """Nest a value under a path of the table; ``*`` becomes a list of one."""
    for token in reversed(path):
        value = [value] if token == "*" else {token: value}
    return value


TABLE = [(group, kind, place) for group, kind, places in kinds.known() for place in places if place.what == "pod"]


@pytest.mark.parametrize(
    ("group", "kind", "place"), TABLE, ids=[f"{group}-{kind}-{'/'.join(place.path)}" for group, kind, place in TABLE]
)
def test_every_place_of_the_table_is_read(group, kind, place):
    document = obj(f"{group}/v1" if group else "v1", kind, **at(place.path, POD_SPEC))
    [found] = read(document)
    roles = [(container.name, container.role) for _, container in found.containers()]
    assert {("main", "app"), ("setup", "init"), ("proxy", "sidecar")} <= set(roles)
    [gpu] = found.gpus()
    expected = [0 if token == "*" else token for token in place.path]
    assert list(gpu.pointer()) == [*expected, "containers", 0, "resources", "limits", "nvidia.com/gpu"]
    assert found.container_at(gpu.pointer()) == "main"


def test_a_pod_carries_its_own_metadata_and_a_template_its_templates():
    [found] = read(obj("v1", "Pod", metadata={"labels": {"a": "1"}}, spec=POD_SPEC))
    assert found.pods[0].metadata == {"labels": {"a": "1"}}
    template = {"metadata": {"labels": {"b": "2"}}, "spec": POD_SPEC}
    [found] = read(obj("apps/v1", "Deployment", metadata={"labels": {"c": "3"}}, spec={"template": template}))
    assert found.pods[0].metadata == {"labels": {"b": "2"}}


def test_a_serving_runtimes_own_metadata_is_not_its_pods():
    [found] = read(obj("serving.kserve.io/v1alpha1", "ServingRuntime", metadata={"name": "r"}, spec=POD_SPEC))
    assert found.pods[0].holder is None


POD = obj("v1", "Pod", spec=POD_SPEC)


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        (obj("v1", "List", items=[POD, None, 3]), [("items", 0)]),
        (obj("v1", "PodList", items=[{"spec": POD_SPEC}]), [("items", 0)]),
        (obj("v1", "List", items=[obj("v1", "List", items=[POD])]), [("items", 0, "items", 0)]),
        (
            obj("workload.codeflare.dev/v1beta2", "AppWrapper", spec={"components": [{"template": POD}]}),
            [(), ("spec", "components", 0, "template")],
        ),
        (obj("template.openshift.io/v1", "Template", objects=[POD]), [(), ("objects", 0)]),
        ({"kind": "Pod"}, []),
        ({"apiVersion": "v1"}, []),
        ([], []),
        (None, []),
        ("text", []),
    ],
)
def test_objects_in_objects(document, pointers):
    assert [found.pointer for found in read(document)] == pointers


def test_lists_in_lists_come_to_an_end():
    document = POD
    for _ in range(50):
        document = obj("v1", "List", items=[document])
    assert read(document) == []


class TestByShape:
    def test_a_pod_spec_in_an_unknown_kind(self):
        [found] = read(obj("new.io/v1", "Train", spec={"workers": [{"podTemplate": {"spec": POD_SPEC}}]}))
        [gpu] = found.gpus()
        assert gpu.pointer()[:4] == ("spec", "workers", 0, "podTemplate")
        assert not found.pods[0].complete

    def test_gpu_resources_in_an_unknown_kind(self):
        engine = {"resources": {"limits": {"example.com/gpu": 1}}}
        [found] = read(obj("new.io/v1", "Serve", spec={"engine": engine}))
        assert [gpu.name for gpu in found.gpus()] == ["example.com/gpu"]

    def test_the_policy_wins_over_the_table_and_the_shape(self):
        entry = {"apiVersion": "apps/v1", "kind": "Deployment", "podSpecs": ["/spec/other/*"]}
        spec = {"other": [POD_SPEC], "template": {"spec": POD_SPEC}}
        [found] = read(obj("apps/v1", "Deployment", spec=spec), Policy("p", {"workloads": [entry]}))
        assert [pod.pointer for pod in found.pods] == [("spec", "other", 0)]

    def test_a_known_kind_whose_pod_spec_stands_elsewhere(self):
        [found] = read(obj("kubeflow.org/v1alpha1", "MPIJob", spec={"replicas": 2, "template": {"spec": POD_SPEC}}))
        assert [pod.pointer for pod in found.pods] == [("spec", "template", "spec")]

    def test_an_object_inside_another_is_not_found_twice(self):
        wrapper = obj("workload.codeflare.dev/v1beta2", "AppWrapper", spec={"components": [{"template": POD}]})
        assert [len(found.pods) for found in read(wrapper)] == [0, 1]

    @pytest.mark.parametrize(
        ("api_version", "kind"),
        [
            ("v1", "ConfigMap"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("kyverno.io/v1", "ClusterPolicy"),
            ("constraints.gatekeeper.sh/v1beta1", "K8sLimits"),
            ("karpenter.sh/v1", "NodePool"),
            ("resource.k8s.io/v1", "ResourceClaim"),
        ],
    )
    def test_not_where_patterns_and_schemas_stand(self, api_version, kind):
        [found] = read(obj(api_version, kind, spec={"a": POD_SPEC, "resources": {"limits": {"nvidia.com/gpu": "?*"}}}))
        assert found.pods == ()


def test_resources_without_a_container_around_them():
    [found] = read(obj("apps.nvidia.com/v1alpha1", "NIMService", spec={"resources": GPU}))
    [pod] = found.pods
    assert not pod.complete
    assert [gpu.pointer() for gpu in pod.gpus] == [("spec", "resources", "limits", "nvidia.com/gpu")]


def test_kserves_model_is_a_container_of_the_predictor():
    predictor = {"model": {"modelFormat": {"name": "pytorch"}, "resources": GPU}, "tolerations": []}
    [found] = read(obj("serving.kserve.io/v1beta1", "InferenceService", spec={"predictor": predictor}))
    [gpu] = found.gpus()
    assert gpu.pointer()[:3] == ("spec", "predictor", "model")
    assert gpu.container.label == '"model" of the InferenceService'


def test_argo_templates_hold_containers_under_names_of_their_own():
    templates = [
        {"container": {"image": "i", "resources": GPU}},
        {"script": {"image": "i", "resources": GPU}},
        {"containerSet": {"containers": [{"name": "c", "image": "i", "resources": GPU}]}},
    ]
    [found] = read(obj("argoproj.io/v1alpha1", "Workflow", spec={"templates": templates}))
    assert [gpu.pointer()[2:5] for gpu in found.gpus()] == [
        (0, "container", "resources"),
        (1, "script", "resources"),
        (2, "containerSet", "containers"),
    ]


@pytest.mark.parametrize(
    ("containers", "complete"),
    [
        ([{"name": "a", "image": "i"}], True),
        ([{"name": "a"}], False),
        ([{"name": "a", "image": "i"}, {"name": "b"}], False),
        ([], False),
        (None, False),
        ("text", False),
    ],
)
def test_a_fragment_is_told_from_a_whole_pod_spec_in_a_file_only(containers, complete):
    pod = obj("v1", "Pod", spec={"containers": containers})
    assert read(pod)[0].pods[0].complete is complete
    assert read(pod, origin="admission")[0].pods[0].complete is True


WRONG = [None, True, 3, 1.5, "text", [], [None], [[]], {}, {"a": 1}, [{"name": 3}], [{"resources": []}]]
WRONG += [[{"resources": {"limits": []}}], [{"resources": {"limits": {"nvidia.com": 1}}}]]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize("field", ["containers", "initContainers", "ephemeralContainers"])
def test_wrong_shapes_are_looked_through(field, wrong):
    for document in (
        obj("v1", "Pod", spec={field: wrong}),
        obj("v1", "Pod", spec=wrong),
        obj("v1", "Pod", metadata=wrong, spec={}),
        obj("apps/v1", "Deployment", spec={"template": wrong}),
        obj("new.io/v1", "Odd", spec={field: wrong}),
        obj(wrong, "Pod"),
        obj("v1", "List", items=wrong),
    ):
        for found in read(document):
            assert list(found.gpus()) == []


class TestGpuRequest:
    def request(self, resources):
        container = {"name": "c", "image": "i", "resources": resources}
        [found] = read(obj("v1", "Pod", spec={"containers": [container]}))
        [gpu] = found.gpus()
        return gpu

    def test_sides(self):
        gpu = self.request({"limits": {"nvidia.com/gpu": 1}, "requests": {"nvidia.com/gpu": "2"}})
        assert list(gpu.sides()) == [("limits", 1), ("requests", "2")]
        assert (gpu.value, gpu.side) == (1, "limits")

    def test_requests_only(self):
        gpu = self.request({"requests": {"nvidia.com/gpu": "2"}})
        assert (gpu.value, gpu.side, gpu.limit) == ("2", "requests", container.MISSING)

    @pytest.mark.parametrize(
        ("amount", "wants_gpu"),
        [(1, True), (0, False), ("0", False), (-1, False), ("odd", True), (None, False), ("0.5", True)],
    )
    def test_what_asks(self, amount, wants_gpu):
        assert self.request({"limits": {"nvidia.com/gpu": amount}}).wants_gpu is wants_gpu
