"""What claims say for each kind of request, driver and way of sharing: never less than is asked, or a refusal."""

import fast_yaml
import pytest
from backends.sharing import CORE, COUNT, DRA_PARAMETERS, HAMI_CLASS, MEM, POLICIES, admitted, container, pod
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_admission.backends import dra, dra_devices, dra_page, dra_reader, native_request
from gpu_admission.backends.base import ClusterFacts
from gpu_admission.backends.dra_settings import DraSettings
from gpu_admission.backends.portable import SEVENTHS, GpuShare
from gpu_admission.backends.rejection import RejectedRequestError
from gpu_admission.core import quantity
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.workloads import claims, device_classes
from gpu_admission.workloads.claim_index import ClaimIndex

MIB, GIB = quantity.MIB, quantity.GIB
UNBOUND = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
requests = st.builds(
    lambda memory, count, cores: GpuShare(memory, count, None if cores is None else cores * SEVENTHS),
    st.none() | st.integers(100 * MIB, 100 * GIB),
    st.integers(1, 40),
    st.none() | st.integers(1, 100),
)


def policy(cards=(), sources=None, **parameters):
    """A policy of dra with a template for each request, as the command translate has it."""
    backend = {"name": "dra", "template": "gpu", "templatePerRequest": True, **parameters}
    said = {"backend": backend, "cluster": {"cards": [{"model": card} for card in cards]}}
    return Policy("test", said if sources is None else {**said, "translateFrom": sources})


def devices(request, **parameters):
    """The devices of the claim for a request."""
    return dra_devices.devices(request, DraSettings(parameters))


def only(made):
    """The one request of a claim."""
    (request,) = made["requests"]
    return request["exactly"]


def spec_of(made):
    """The same as the reader of claims sees it."""
    return claims.read_spec({"kind": "ResourceClaim", "metadata": {"name": "c"}, "spec": {"devices": made}})


@pytest.mark.parametrize("parameters", DRA_PARAMETERS.values(), ids=DRA_PARAMETERS)
class TestLaws:
    @UNBOUND
    @given(asked=requests)
    def test_a_claim_gives_all_of_what_is_asked(self, parameters, asked):
        try:
            made = devices(asked, **parameters)
        except RejectedRequestError:
            return
        driver = DraSettings(parameters).driver
        found = list(spec_of(made).all_requests())
        assert sum(each.count for each in found) == asked.count
        for each in found:
            if asked.memory is not None:
                whole = asked.cores == 700 and not driver.cores
                assert whole or quantity.parse(each.capacity["memory"]).ceil() >= asked.memory
                assert any("compareTo" in text for _, text in each.selectors())
            else:
                assert "memory" not in each.capacity
        if len(found) > 1:
            (constraint,) = made["constraints"]
            assert constraint["distinctAttribute"].partition("/")[0] == driver.domain
            assert constraint["requests"] == [each.name for each in found]

    @UNBOUND
    @given(first=requests, second=requests)
    def test_templates_of_one_name_give_the_same(self, parameters, first, second):
        one, other = (dra_devices.template_name("gpu", request) for request in (first, second))
        try:
            made = [devices(request, **parameters) for request in (first, second)]
        except RejectedRequestError:
            return
        assert (one == other) is (made[0] == made[1])

    def test_names_and_attributes_are_those_that_the_driver_publishes(self, parameters):
        driver = DraSettings(parameters).driver
        published = device_classes.driver(driver.domain)
        assert published is not None
        assert published.vendor == driver.vendor
        for name, known in (
            (driver.unique, published.attributes),
            (driver.cores, published.capacity),
            ("memory", published.capacity),
            (driver.whole and "type", published.attributes),
        ):
            assert not name or not known or name in known


class TestNvidia:
    def test_memory_is_capacity_on_devices_that_may_be_shared(self):
        assert only(devices(GpuShare(30 * GIB))) == {
            "deviceClassName": "gpu.nvidia.com",
            "count": 1,
            "selectors": [
                {"cel": {"expression": "device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('30Gi')) >= 0"}}
            ],
            "capacity": {"requests": {"memory": "30Gi"}},
        }

    def test_shares_of_several_cards_are_kept_off_one_another(self):
        made = devices(GpuShare(10 * GIB, 3))
        names = ["gpu-1", "gpu-2", "gpu-3"]
        assert [request["name"] for request in made["requests"]] == names
        assert made["constraints"] == [{"requests": names, "distinctAttribute": "gpu.nvidia.com/uuid"}]

    def test_whole_cards_are_a_count_in_one_request(self):
        made = devices(GpuShare(None, 8))
        assert made == {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 8}}]}

    def test_a_whole_card_takes_all_the_shares_that_are_counted(self):
        made = only(devices(GpuShare(None, 2), consumableShares="count", sharesPerDevice=4))
        assert made["capacity"] == {"requests": {"shares": 4}}
        assert made["count"] == 2

    @pytest.mark.parametrize("request_", [GpuShare(None, 1), GpuShare(9 * GIB, 1, profile="1g.10gb")], ids=str)
    def test_nothing_is_given_alone_where_shares_are_unlimited(self, request_):
        with pytest.raises(RejectedRequestError, match="without a limit"):
            devices(request_, consumableShares="unlimited")

    def test_all_of_the_compute_is_a_card_of_ones_own(self):
        made = only(devices(GpuShare(30 * GIB, 1, 700)))
        assert "capacity" not in made
        assert "30Gi" in made["selectors"][0]["cel"]["expression"]

    @pytest.mark.parametrize(
        ("profile", "written"),
        [("1g.10gb", "1g.10gb"), ("1g.10gb.me", "1g.10gb+me"), ("1g.12gb.me.all", "1g.12gb+me.all")],
    )
    def test_a_mig_profile_is_selected_as_the_driver_writes_it(self, profile, written):
        made = only(devices(GpuShare(None, 2, share=True, profile=profile)))
        expression = f"device.attributes['gpu.nvidia.com'].profile == '{written}'"
        assert made == {
            "deviceClassName": "mig.nvidia.com",
            "count": 2,
            "selectors": [{"cel": {"expression": expression}}],
        }

    def test_time_slices_are_the_drivers_configuration(self):
        made = devices(GpuShare(None, 1, share=True), sharing="time-slicing", timeSlice="Long")
        (config,) = made["config"]
        assert config["opaque"]["driver"] == "gpu.nvidia.com"
        assert config["opaque"]["parameters"] == {
            "apiVersion": "resource.nvidia.com/v1beta1",
            "kind": "GpuConfig",
            "sharing": {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}},
        }

    def test_mps_limits_memory_and_threads(self):
        made = devices(GpuShare(10 * GIB, 1, 30 * SEVENTHS), sharing="mps")
        assert made["config"][0]["opaque"]["parameters"]["sharing"] == {
            "strategy": "MPS",
            "mpsConfig": {"defaultActiveThreadPercentage": 30, "defaultPinnedDeviceMemoryLimit": "10Gi"},
        }

    @pytest.mark.parametrize(
        ("parameters", "says"),
        [
            ({"sharing": "mps", "consumableShares": "memory"}, "does not do together"),
            ({"consumableShares": "count"}, "how many shares"),
        ],
    )
    def test_a_policy_that_the_driver_would_refuse(self, parameters, says):
        with pytest.raises(RejectedRequestError, match=says):
            devices(GpuShare(GIB), **parameters)

    def test_compute_is_limited_by_mps_alone(self):
        with pytest.raises(RejectedRequestError, match="do not limit") as caught:
            devices(GpuShare(GIB, 1, 30 * SEVENTHS), consumableShares="memory")
        assert "MPSSupport" in caught.value.advice

    def test_no_claim_has_more_than_32_devices(self):
        assert len(devices(GpuShare(GIB, 32))["requests"]) == 32
        with pytest.raises(RejectedRequestError, match="at most 32"):
            devices(GpuShare(GIB, 33))


class TestOtherDrivers:
    def test_whole_cards_of_amd_are_no_partitions(self):
        made = only(devices(GpuShare(None, 2), deviceClass="gpu.amd.com"))
        assert made["deviceClassName"] == "gpu.amd.com"
        assert made["selectors"] == [{"cel": {"expression": "device.attributes['gpu.amd.com'].type == 'amdgpu'"}}]

    def test_hamis_cards_are_asked_for_memory_and_cores(self):
        made = only(devices(GpuShare(8 * GIB, 1, 30 * SEVENTHS), deviceClass=HAMI_CLASS))
        assert made["capacity"] == {"requests": {"memory": "8Gi", "cores": 30}}

    def test_a_part_of_hamis_compute_comes_with_all_of_the_memory(self):
        made = only(devices(GpuShare(None, 1, 30 * SEVENTHS), deviceClass=HAMI_CLASS))
        assert made["capacity"] == {"requests": {"cores": 30}}

    @pytest.mark.parametrize("driver", ["amd", "intel"])
    def test_compute_is_not_to_be_had_of_others(self, driver):
        with pytest.raises(RejectedRequestError, match="do not limit"):
            devices(GpuShare(GIB, 1, 30 * SEVENTHS), driver=driver)

    @pytest.mark.parametrize("name", ["nvidia.com/mig-1g.10gb", "nvidia.com/gpu.shared", "nvidia.com/gpu"])
    @pytest.mark.parametrize("driver", ["amd", "intel"])
    def test_nvidias_names_are_not_translated_for_cards_of_others(self, name, driver):
        before = pod({name: 1})
        after, findings = admitted(policy(sources=("mig", "time-slicing", "exclusive"), driver=driver), before)
        assert after == before
        assert [finding.rule for finding in findings] == ["GPU102"]
        assert "NVIDIA's device plugin" in findings[0].message

    def test_the_policys_class_goes_before_the_drivers(self):
        made = only(devices(GpuShare(GIB), deviceClass="big.example.com", driver="intel"))
        assert made["deviceClassName"] == "big.example.com"
        assert "gpu.intel.com" in made["selectors"][0]["cel"]["expression"]


class TestNames:
    @pytest.mark.parametrize(
        ("request_", "name"),
        [
            (GpuShare(None), "gpu"),
            (GpuShare(None, 2), "gpu-2x"),
            (GpuShare(8 * GIB), "gpu-8gi"),
            (GpuShare(8 * GIB - 1), "gpu-8gi"),
            (GpuShare(1500 * MIB, 2), "gpu-2x-1500mi"),
            (GpuShare(8 * GIB, 1, 30 * SEVENTHS), "gpu-8gi-30pct"),
            (GpuShare(None, 1, 30 * SEVENTHS), "gpu-30pct"),
            (GpuShare(None, 1, 700), "gpu"),
            (GpuShare(None, 1, share=True), "gpu-share"),
            (GpuShare(None, 1, profile="1g.10gb.me"), "gpu-mig-1g.10gb.me"),
        ],
        ids=str,
    )
    def test_a_template_is_named_by_what_it_gives(self, request_, name):
        assert dra_devices.template_name("gpu", request_) == name

    @pytest.mark.parametrize("base", ["g" * 253, "a." * 126 + "a"])
    def test_a_name_fits_into_that_of_an_object(self, base):
        name = dra_devices.template_name(base, GpuShare(8 * GIB, 32, 30 * SEVENTHS))
        assert len(name) <= 253
        assert name.endswith("-32x-8gi-30pct")
        assert not any(dot in name for dot in ("..", ".-", "-."))


class TestPods:
    def test_the_page_shows_the_template_of_a_share(self):
        made = dra.template("gpu-8gi", GpuShare(8 * GIB), ClusterFacts())
        assert fast_yaml.load(dra_page.SHARE) == {"spec": made["spec"]}

    @pytest.mark.parametrize(
        ("name", "driver", "moves"),
        [
            ("amd.com/gpu", "amd", True),
            ("gpu.intel.com/i915", "intel", True),
            ("amd.com/gpu", "intel", False),
            ("amd.com/gpu", "nvidia", False),
            ("amd.com/cpx_nps4", "amd", False),
            ("gpu.intel.com/monitoring", "intel", False),
            ("gpu.intel.com/millicores", "intel", False),
        ],
    )
    def test_whole_cards_of_the_classs_vendor_are_translated_on_request(self, name, driver, moves):
        before = pod({name: 2})
        after, _ = admitted(policy(sources=("exclusive",), driver=driver), before)
        assert (after != before) is moves
        if moves:
            assert after["spec"]["resourceClaims"][0]["resourceClaimTemplateName"] == "gpu-2x"
        assert admitted(policy(sources=("portable",), driver=driver), before)[0] == before

    def test_the_policy_may_have_a_template_for_each_request(self):
        after, findings = admitted(policy(), pod(containers=[container({MEM: "8Gi"}, "a"), container({COUNT: 2}, "b")]))
        assert findings == []
        assert after["spec"]["resourceClaims"] == [
            {"name": "gpu", "resourceClaimTemplateName": "gpu-8gi"},
            {"name": "gpu-2", "resourceClaimTemplateName": "gpu-2x"},
        ]

    def test_a_share_of_no_size_needs_a_driver_that_is_told_to_share(self):
        before = pod({"nvidia.com/gpu.shared": 1})
        after, findings = admitted(policy(sources=("time-slicing",)), before)
        assert after == before
        assert "backend.sharing" in findings[0].advice
        after, findings = admitted(policy(sources=("time-slicing",), sharing="mps"), before)
        assert findings == []
        assert after["spec"]["resourceClaims"][0]["resourceClaimTemplateName"] == "gpu-share"

    def test_a_share_of_a_mig_device_is_refused(self):
        before = pod({"nvidia.com/mig-1g.10gb.shared": 1})
        after, findings = admitted(policy(sources=("mig",), sharing="time-slicing"), before)
        assert after == before
        assert "share of a MIG device" in findings[0].message

    def test_hamis_driver_takes_a_mig_device_as_memory_and_compute(self):
        after, findings = admitted(policy(sources=("mig",), deviceClass=HAMI_CLASS), pod({"nvidia.com/mig-3g.40gb": 1}))
        assert findings == []
        name = after["spec"]["resourceClaims"][0]["resourceClaimTemplateName"]
        assert name == "gpu-40192mi-43pct"

    def test_a_template_is_what_the_pod_refers_to(self):
        facts = ClusterFacts(POLICIES["dra"]["backend"] | {"templatePerRequest": True})
        made = dra.template("gpu-8gi", GpuShare(8 * GIB), facts)
        assert (made["kind"], made["metadata"]["name"]) == ("ResourceClaimTemplate", "gpu-8gi")
        assert claims.read_spec(made).requests[0].capacity == {"memory": "8Gi"}

    def test_percentages_are_written_where_the_driver_counts_them(self):
        after, findings = admitted(policy(deviceClass=HAMI_CLASS), pod({MEM: "8Gi", CORE: "30"}))
        assert findings == []
        assert after["spec"]["resourceClaims"][0]["resourceClaimTemplateName"] == "gpu-8gi-30pct"


def returned(asked, parameters):
    """What another backend is given of a claim that was made for a request; None where the claim is refused."""
    facts = ClusterFacts(parameters)
    try:
        made = dra.template("gpu", asked, facts)
    except RejectedRequestError:
        return None
    used = {"claims": [{"name": "gpu"}]}
    claimed = pod(containers=[{"name": "main", "image": "i", "resources": used}])
    claimed["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
    settings = DraSettings(parameters)
    selectors = [{"cel": {"expression": f"device.driver == '{settings.driver.domain}'"}}]
    own = {"metadata": {"name": settings.device_class}, "spec": {"selectors": selectors}}
    index = ClaimIndex()
    index.enter([{"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", **own}, made, claimed])
    (view,) = Engine((), Policy("test", {"translateFrom": ()}), index).read(claimed)
    (seen,) = view.pods
    (one,) = native_request.native_requests(seen, {}, (), kai=False, claims=True)
    try:
        return dra_reader.read(one, ClusterFacts())
    except RejectedRequestError as error:
        if "shares" not in error.reason:  # how many of them are a card is the cluster's own
            raise
        return None


@pytest.mark.parametrize("parameters", DRA_PARAMETERS.values(), ids=DRA_PARAMETERS)
@UNBOUND
@given(asked=requests)
def test_what_a_claim_was_made_for_comes_back_in_full(parameters, asked):
    given = returned(asked, parameters)
    if given is None or (given.share and given.memory is None):
        return
    if given.memory is None and asked.memory is not None:
        assert given.least >= asked.memory, "a whole card that is large enough"
    assert given.covers(asked)
