"""GPU406 to GPU411, GPU414, GPU416 and GPU417: claims, templates, classes and quotas on them."""

import copy

import pytest

from rules.claim_objects import (
    V1,
    claim,
    configured,
    device_class,
    exactly,
    fixed,
    found,
    selected,
    template,
    wording,
)

R = "/spec/devices/requests"
BARE = {"name": "gpu", "deviceClassName": "gpu.nvidia.com", "count": 2}
SMALL = {"name": "small", "deviceClassName": "gpu.nvidia.com"}
MEMORY = "device.capacity['gpu.nvidia.com'].memory"
SHARING = {"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfig", "sharing": {"strategy": "TimeSlicing"}}
GATE = ("GPU411", "/spec/devices/config/0/opaque/parameters/sharing/strategy", "info")
CONFIG = "/spec/devices/config/0"
PARAMETERS = f"{CONFIG}/opaque/parameters"


def typed(kind="GpuConfig", **fields):
    return {"apiVersion": "resource.nvidia.com/v1beta1", "kind": kind, **fields}


CLEAN = {
    "one": claim(exactly()),
    "a template": template(exactly(count=8)),
    "all": claim(exactly(allocationMode="All")),
    "alternatives": claim({"name": "gpu", "firstAvailable": [SMALL, {**SMALL, "name": "b", "count": 2}]}),
    "capacity": claim(exactly(capacity={"requests": {"memory": "4Gi"}})),
    "32 devices": claim(exactly(count=32)),
    "a configuration of an alternative": claim(
        {"name": "gpu", "firstAvailable": [SMALL]},
        config=[{"requests": ["gpu/small"], "opaque": {"driver": "gpu.nvidia.com", "parameters": typed()}}],
    ),
    "a constraint": claim(exactly(), constraints=[{"requests": ["gpu"], "matchAttribute": "gpu.nvidia.com/uuid"}]),
    "a class of somebody's own": claim(exactly(device_class="large.example.com")),
    "a network card in any shape": claim({"name": "nic", "deviceClassName": "dra.net", "count": 99}),
    "another driver's configuration": configured({"anything": 1}, driver="gpu.example.com"),
    "AMD": selected("device.attributes['gpu.amd.com'].type == 'amdgpu'", "gpu.amd.com"),
    "Intel": selected("device.attributes['gpu.intel.com'].family == 'x'", "gpu.intel.com"),
    "a standard attribute": selected("device.attributes['resource.kubernetes.io'].pcieRoot == 'x'"),
    "memory": selected(f"{MEMORY}.compareTo(quantity('40Gi')) >= 0 && {MEMORY}.isLessThan(quantity('80Gi'))"),
    "guarded": selected("'example.com' in device.attributes && device.attributes['example.com'].a == 'b'"),
    "guarded by an optional": selected("device.attributes['gpu.nvidia.com'].?nosuch.orValue('') == 'b'"),
    "a version": selected("device.attributes['gpu.nvidia.com'].driverVersion.compareTo(semver('550.1.0')) >= 0"),
    "parameters of a kind": configured(typed("VfioDeviceConfig", iommu={"backendPolicy": "LegacyOnly"})),
    "a placeholder": claim(exactly(count="{{ .Values.count }}", device_class="$CLASS")),
    "a quota": {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {
        "gpu.nvidia.com.deviceclass.resource.k8s.io/devices": "4",
        "requests.deviceclass.resource.kubernetes.io/mig.nvidia.com": "4",
        "large.example.com.deviceclass.resource.k8s.io/devices": "4"}}},
}  # fmt: skip


@pytest.mark.parametrize("document", CLEAN.values(), ids=CLEAN)
def test_nothing_is_found(document):
    assert found(document) == []


REQUEST_FORMS = {
    "both": {"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com"}, "firstAvailable": [SMALL]},
    "neither": {"name": "gpu"},
    "empty": {"name": "gpu", "firstAvailable": []},
    "mixed": {"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com"}, "count": 2},
    "no name": {"exactly": {"deviceClassName": "gpu.nvidia.com"}},
    "a name in capitals": exactly("GPU"),
    "a name that is a number": exactly(5),
    "exactly inside": {"name": "gpu", "firstAvailable": [exactly("a")]},
    "access of an administrator": {"name": "gpu", "firstAvailable": [{**SMALL, "adminAccess": True}]},
    "no mapping": {"name": "gpu", "exactly": [1]},
    "nine alternatives": {"name": "gpu", "firstAvailable": [{**SMALL, "name": f"n{n}"} for n in range(9)]},
    "a string": "gpu",
}  # fmt: skip


class TestShape:
    @pytest.mark.parametrize("made", [claim(BARE), template(BARE)])
    def test_bare_fields(self, made):
        (only,) = found(made)
        assert (only[0], only[2]) == ("GPU406", "error")
        inner = {"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 2}}
        wanted = claim(inner) if made["kind"] == "ResourceClaim" else template(inner)
        assert fixed(made) == wanted

    def test_levels(self):
        flat = {**claim(exactly()), "kind": "ResourceClaimTemplate"}
        assert found(flat) == [("GPU406", "/spec/devices", "error")]
        assert fixed(flat) == {**template(exactly()), "metadata": flat["metadata"]}
        deep = {**template(exactly()), "kind": "ResourceClaim"}
        assert found(deep) == [("GPU406", "/spec/spec", "error")]
        assert fixed(deep) == {**claim(exactly()), "metadata": deep["metadata"]}

    @pytest.mark.parametrize("kind", ["ResourceClaim", "ResourceClaimTemplate"])
    @pytest.mark.parametrize(
        "spec", [{}, {"spec": None}, {"devices": None}, {"spec": {}}, {"spec": {"devices": {}}}, None]
    )
    def test_nothing_asked_for(self, kind, spec):
        made = {"apiVersion": V1, "kind": kind, "metadata": {"name": "c"}, "spec": spec}
        inside = spec == {"spec": {"devices": {}}} and kind == "ResourceClaim"  # one level too low
        assert [(rule, severity) for rule, _, severity in found(made)] == [("GPU406", "error" if inside else "warning")]

    def test_without_spec(self):
        made = {"apiVersion": V1, "kind": "ResourceClaim", "metadata": {"name": "c"}}
        assert found(made) == [("GPU406", "/kind", "warning")]

    @pytest.mark.parametrize("request_", REQUEST_FORMS.values(), ids=REQUEST_FORMS)
    def test_forms(self, request_):
        made = found(claim(request_))
        assert [rule for rule, _, _ in made if rule == "GPU406"] == ["GPU406"]
        assert {severity for _, _, severity in made} <= {"error", "info"}

    def test_names(self):
        assert found(claim(exactly(), exactly())) == [("GPU406", f"{R}/1/name", "error")]

    def test_too_many(self):
        assert found(claim(*(exactly(f"g{n}") for n in range(33)))) == [
            ("GPU406", R, "error"),
            ("GPU407", R, "error"),
        ]
        many = claim(exactly(), config=[{"opaque": {"driver": "gpu.nvidia.com", "parameters": typed()}}] * 33)
        assert found(many) == [("GPU406", "/spec/devices/config", "error")]

    def test_references(self):
        made = claim(
            exactly(), constraints=[{"requests": ["gup"], "matchAttribute": "uuid"}], config=[{"requests": [5]}]
        )
        assert found(made) == [
            ("GPU411", CONFIG, "error"),
            ("GPU406", "/spec/devices/constraints/0/matchAttribute", "error"),
            ("GPU406", "/spec/devices/constraints/0/requests/0", "error"),
        ]
        assert 'write "gpu"' in wording(made)

    @pytest.mark.parametrize("capacity", [{"memory": "4Gi"}, [], "4Gi", {"requests": {"memory": "4GB"}}])
    def test_capacity(self, capacity):
        (only,) = found(claim(exactly(capacity=capacity)))
        assert only[0] == "GPU406"
        assert only[1].startswith(f"{R}/0/exactly/capacity")


WRONG_COUNTS = [
    ({"count": 2, "allocationMode": "All"}, "count", "error"),
    ({"count": "2"}, "count", "error"),
    ({"count": 1.5}, "count", "error"),
    ({"count": True}, "count", "error"),
    ({"count": -1}, "count", "error"),
    ({"count": 0}, "count", "warning"),
    ({"count": 33}, "count", "error"),
    ({"count": 10**400}, "count", "error"),
    ({"allocationMode": "all"}, "allocationMode", "error"),
    ({"allocationMode": ["All"]}, "allocationMode", "error"),
]


class TestCount:
    @pytest.mark.parametrize(("fields", "at", "severity"), WRONG_COUNTS)
    def test_of_a_request(self, fields, at, severity):
        assert found(claim(exactly(**fields))) == [("GPU407", f"{R}/0/exactly/{at}", severity)]

    def test_together(self):
        assert found(claim(exactly("a", count=20), exactly("b", count=20))) == [("GPU407", R, "error")]
        either = {"name": "gpu", "firstAvailable": [{**SMALL, "count": 20}, {**SMALL, "name": "b", "count": 4}]}
        assert found(claim(exactly("a", count=20), either)) == []  # it may come to 24

    def test_a_mode_is_corrected(self):
        assert fixed(claim(exactly(allocationMode="exactCount"))) == claim(exactly(allocationMode="ExactCount"))


class TestVersion:
    @pytest.mark.parametrize(
        ("version", "severity"),
        [("v1beta1", "warning"), ("v1beta2", "warning"), ("v1alpha3", "error"), ("v2", "error")],
    )
    def test_unserved(self, version, severity):
        made = {**claim(exactly() if version == "v1beta2" else BARE), "apiVersion": f"resource.k8s.io/{version}"}
        assert found(made) == [("GPU408", "/apiVersion", severity)]
        if severity == "warning":
            assert found(fixed(made)) == []

    def test_classes(self):
        old = {**device_class("gpu.nvidia.com"), "apiVersion": "resource.k8s.io/v1beta1"}
        assert found(old) == [("GPU408", "/apiVersion", "warning")]
        nic = {**device_class("dra.net"), "apiVersion": "resource.k8s.io/v1beta1"}
        assert found(nic) == []


class TestClass:
    @pytest.mark.parametrize(
        ("name", "near", "severity"),
        [
            ("nvidia.com/gpu", "gpu.nvidia.com", "error"),
            ("nvidia.com/mig-1g.5gb", "mig.nvidia.com", "error"),
            ("amd.com/gpu", "gpu.amd.com", "error"),
            ("GPU.nvidia.com", "gpu.nvidia.com", "error"),
            ("nvidia.gpu.com", "gpu.nvidia.com", "warning"),
            ("gpu.nvidai.com", "gpu.nvidia.com", "warning"),
            ("nvidia.com", "gpu.nvidia.com", "warning"),
            ("gpu.nvidia", "gpu.nvidia.com", "warning"),
            ("mig.nvidia", "mig.nvidia.com", "warning"),
            ("gpus.amd.com", "gpu.amd.com", "warning"),
        ],
    )
    def test_misspelt(self, name, near, severity):
        made = claim(exactly(device_class=name))
        assert found(made) == [("GPU409", f"{R}/0/exactly/deviceClassName", severity)]
        assert fixed(made) == claim(exactly(device_class=near))

    @pytest.mark.parametrize("name", ["gpu", "large.example.com", "npu.intel.com", "gpu.example.com"])
    def test_others_are_left_alone(self, name):
        assert found(claim(exactly(device_class=name))) == []

    def test_what_is_seen_or_stated_is_known(self):
        made = claim(exactly(device_class="nvidia.gpu.com"))
        assert found(device_class("nvidia.gpu.com"), made) == []
        assert found(made, policy={"cluster": {"claims": {"classes": ["nvidia.gpu.com"]}}}) == []

    def test_missing(self):
        assert found(claim({"name": "gpu", "exactly": {"count": 1}})) == [("GPU409", f"{R}/0/exactly", "error")]

    @pytest.mark.parametrize("name", [5, None, ["gpu.nvidia.com"], "", "gpu_nvidia"])
    def test_no_name(self, name):
        assert found(claim(exactly(device_class=name))) == [("GPU409", f"{R}/0/exactly/deviceClassName", "error")]


REFUSED_SELECTORS = [
    f"{MEMORY} >= '40Gi'",
    f"{MEMORY} >= quantity('40Gi')",
    f"{MEMORY} == '40Gi'",
    f"{MEMORY}.compareTo(quantity('40Gi'))",
    "device.driver",
    "device.driver = 'a'",
    "(device.driver == 'a'",
    "device.driver == 'a' and true",
    "devices.driver == 'a'",
    "device.memory == 'a'",
    "device.attributes['gpu.nvidia.com/type'] == 'gpu'",
    "device.driver == 'a",
    "",
    "device.driver == '" + "a" * 10300 + "'",
    "device.driver == 5",
    "true && device.driver",
]


STOPPING_SELECTORS = {
    "device.attributes['gpu.nvidia.com'].nosuch == 'a'": "choose from",
    "device.attributes['gpu.nvidia.com'].productname == 'a'": "write productName",
    "device.attributes['nvidia.com'].type == 'gpu'": 'device.attributes["gpu.nvidia.com"].type',
    "device.attributes['gpu.amd.com'].type == 'gpu'": "another driver's",
    "device.attributes['gpu.nvidia.com'].memory == 'a'": 'device.capacity["gpu.nvidia.com"].memory',
    "device.attributes.gpu.nvidia.com.type == 'gpu'": 'device.attributes["gpu.nvidia.com"]',
    f"{MEMORY}.compareTo(quantity('40GB')) >= 0": "not a valid quantity",
    "device.attributes['gpu.nvidia.com'].driverVersion >= '550'": "semver",
}


class TestSelector:
    @pytest.mark.parametrize("expression", REFUSED_SELECTORS)
    def test_refused(self, expression):
        assert found(selected(expression)) == [("GPU410", f"{R}/0/exactly/selectors/0/cel/expression", "error")]

    @pytest.mark.parametrize(("expression", "words"), STOPPING_SELECTORS.items())
    def test_what_stops_the_scheduler(self, expression, words):
        made = selected(expression)
        assert {rule for rule, _, _ in found(made)} == {"GPU410"}
        assert words in wording(made)

    def test_of_a_class(self):
        made = device_class("large", driver="gpu.nvidia.com")
        made["spec"]["selectors"].append({"cel": {"expression": "device.attributes['gpu.nvidia.com'].nosuch == 1"}})
        assert found(made) == [("GPU410", "/spec/selectors/1/cel/expression", "warning")]

    @pytest.mark.parametrize("selector", [{}, {"cel": None}, {"cel": {}}, {"cel": "x"}])
    def test_without_expression(self, selector):
        made = claim(exactly(selectors=[selector]))
        assert found(made) == [("GPU410", f"{R}/0/exactly/selectors/0", "error")]

    def test_no_text(self):
        assert [rule for rule, _, _ in found(selected(5))] == ["GPU410"]


REFUSED_PARAMETERS = {
    "apiVersion": ({**SHARING, "apiVersion": "gpu.nvidia.com/v1"}, "write resource.nvidia.com/v1beta1"),
    "kind": (typed("GpuConfiguration"), "write GpuConfig"),
    "sharing/strategy": (typed(sharing={"strategy": "Timeslicing"}), "write TimeSlicing"),
    "sharing": (typed(sharing={}), "TimeSlicing or MPS"),
    "sharing/timeSlicingConfig/interval": (
        typed(sharing={"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "long"}}), "write Long"),
    "sharing/timeSlicingConfig": (typed(sharing={"strategy": "TimeSlicing", "timeSlicingConfig": {}}), "Medium"),
    "sharing/mpsConfig": (typed(sharing={"strategy": "TimeSlicing", "mpsConfig": {}}), "leave mpsConfig out"),
    "sharing/mpsConfig/defaultActiveThreadPercentage": (
        typed(sharing={"strategy": "MPS", "mpsConfig": {"defaultActiveThreadPercentage": 150}}), "from 1 to 100"),
    "sharing/mpsConfig/defaultActiveThreadPercent": (
        typed(sharing={"strategy": "MPS", "mpsConfig": {"defaultActiveThreadPercent": 50}}),
        "did you mean 'defaultActiveThreadPercentage'"),
    "sharing/mpsConfig/defaultPinnedDeviceMemoryLimit": (
        typed(sharing={"strategy": "MPS", "mpsConfig": {"defaultPinnedDeviceMemoryLimit": "10"}}), "at least 1Mi"),
    "shared": (typed(shared={}), "did you mean 'sharing'"),
    "iommu/backendPolicy": (typed("VfioDeviceConfig", iommu={"backendPolicy": "Legacy"}), "LegacyOnly"),
}  # fmt: skip


AMD = {"apiVersion": "gpu.resource.amd.com/v1alpha1", "kind": "GpuConfig"}
HAMI = "hami-core-gpu.project-hami.io"


class TestConfiguration:
    def test_gates_are_a_note(self):
        assert found(configured(SHARING)) == [GATE]
        assert "TimeSlicingSettings" in wording(configured(SHARING))
        assert "MPSSupport" in wording(configured(typed(sharing={"strategy": "MPS"})))

    @pytest.mark.parametrize("place", REFUSED_PARAMETERS)
    def test_nvidia(self, place):
        parameters, words = REFUSED_PARAMETERS[place]
        made = configured(parameters)
        assert [each for each in found(made) if each != GATE] == [("GPU411", f"{PARAMETERS}/{place}", "error")]
        assert words in wording(made)

    @pytest.mark.parametrize("driver", ["gpu.nvidia.com", HAMI])
    @pytest.mark.parametrize("place", REFUSED_PARAMETERS)
    def test_hamis_driver_reads_the_same(self, driver, place):
        parameters, _ = REFUSED_PARAMETERS[place]
        made = configured(parameters, driver=driver, device_class=driver)
        assert ("GPU411", f"{PARAMETERS}/{place}", "error") in found(made)

    @pytest.mark.parametrize(("parameters", "place", "words"), [
        (AMD, None, ""),
        ({**AMD, "apiVersion": "gpu.resource.amd.com/v1"}, "apiVersion", "write gpu.resource.amd.com/v1alpha1"),
        ({**AMD, "apiVersion": "resource.nvidia.com/v1beta1"}, "apiVersion", "gpu.resource.amd.com/v1alpha1"),
        ({**AMD, "kind": "GpuConf"}, "kind", "write GpuConfig"),
        ({**AMD, "sharing": {"strategy": "TimeSlicing"}}, "sharing", "leave it out"),
        ({"kind": "GpuConfig"}, "", "gpu.resource.amd.com/v1alpha1"),
    ])  # fmt: skip
    def test_amd(self, parameters, place, words):
        made = configured(parameters, driver="gpu.amd.com", device_class="gpu.amd.com")
        expected = [] if place is None else [("GPU411", f"{PARAMETERS}/{place}".rstrip("/"), "error")]
        assert found(made) == expected
        assert words in wording(made)

    @pytest.mark.parametrize("driver", ["gpu.intel.com", "gaudi.intel.com"])
    def test_drivers_that_read_no_configuration(self, driver):
        made = configured(SHARING, driver=driver, device_class=driver)
        assert found(made) == [("GPU411", f"{CONFIG}/opaque/driver", "warning")]
        assert "reads no configuration" in wording(made)

    def test_mig_has_no_intervals(self):
        sharing = {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}
        assert ("GPU411", f"{PARAMETERS}/sharing/timeSlicingConfig", "error") in found(
            configured(typed("MigDeviceConfig", sharing=sharing))
        )

    def test_an_owner_is_disturbed(self):
        made = configured(SHARING, adminAccess=True)
        assert ("GPU411", f"{PARAMETERS}/sharing", "warning") in found(made)

    @pytest.mark.parametrize(
        ("config", "place"),
        [
            ({}, CONFIG),
            ({"opaque": {"driver": "nvidia/gpu", "parameters": {}}}, f"{CONFIG}/opaque/driver"),
            ({"opaque": {"driver": "gpu.nvidia.com"}}, f"{CONFIG}/opaque"),
            ({"opaque": {"driver": "gpu.nvidia.com", "parameters": [1]}}, PARAMETERS),
            ({"opaque": {"driver": "gpu.nvidia.co", "parameters": {}}}, f"{CONFIG}/opaque/driver"),
            ({"opaque": {"driver": "compute-domain.nvidia.com", "parameters": typed("ComputeDomainChannelConfig")}},
             PARAMETERS),
        ],
    )  # fmt: skip
    def test_around_the_parameters(self, config, place):
        assert [each[:2] for each in found(claim(exactly(), config=[config]))] == [("GPU411", place)]


ADMIN_CLAIM = claim(exactly(adminAccess=True), namespace="monitoring")


MONITORING = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}


class TestAdminAccess:
    def test_the_namespace_decides(self):
        place = f"{R}/0/exactly/adminAccess"
        labelled = copy.deepcopy(MONITORING)
        labelled["metadata"]["labels"] = {"resource.kubernetes.io/admin-access": "true"}
        assert found(ADMIN_CLAIM) == [("GPU414", place, "info")]
        assert found(MONITORING, ADMIN_CLAIM) == [("GPU414", place, "error")]
        assert found(labelled, ADMIN_CLAIM) == []


class TestQuota:
    @pytest.mark.parametrize(
        ("key", "right"),
        [
            ("gpu.nvidia.com.deviceclass.resource.kubernetes.io/devices", "gpu.nvidia.com.deviceclass.resource.k8s.io/devices"),
            ("gpu.nvidia.com.deviceclass.resource.k8s.io/gpus", "gpu.nvidia.com.deviceclass.resource.k8s.io/devices"),
            ("requests.gpu.nvidia.com.deviceclass.resource.k8s.io/devices", "gpu.nvidia.com.deviceclass.resource.k8s.io/devices"),
            ("nvidia.gpu.com.deviceclass.resource.k8s.io/devices", "gpu.nvidia.com.deviceclass.resource.k8s.io/devices"),
            ("requests.deviceclass.resource.kubernetes.io/gpu.nvidai.com", "requests.deviceclass.resource.kubernetes.io/gpu.nvidia.com"),
            ("requests.deviceclass.resource.k8s.io/gpu.nvidia.com", "requests.deviceclass.resource.kubernetes.io/gpu.nvidia.com"),
        ],
    )  # fmt: skip
    def test_keys(self, key, right):
        made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {key: "4"}}}
        place = f"/spec/hard/{key.replace('/', '~1')}"
        assert ("GPU416", place, "warning") in found(made)
        assert fixed(made, only=["GPU416"])["spec"]["hard"] == {right: "4"}

    def test_half_a_device(self):
        key = "gpu.nvidia.com.deviceclass.resource.k8s.io/devices"
        made = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {key: "500m"}}}
        assert [rule for rule, _, _ in found(made)] == ["GPU416"]


def test_two_of_one_name():
    one, other = template(exactly()), template(exactly(count=2))
    assert found(one, other) == [("GPU417", "/metadata/name", "warning")]
    assert found(one, copy.deepcopy(one)) == []
    assert found(one, template(exactly(count=2), namespace="other")) == []
    assert found(one, {**claim(exactly(count=2)), "metadata": {"name": "one"}}) == []
