"""gpu-admission translate: claims that cannot be carried, and claims that pods share."""

import pytest
import yaml
from lint.claim_manifests import (
    CLASS,
    TARGETS,
    least,
    pod,
    profile,
    request,
    template,
)

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

PCIE = "resource.kubernetes.io/pcieRoot"
MPS = {"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfig", "sharing": {"strategy": "MPS"}}


def alternatives(*each, name="gpu", **devices):
    return template(
        {"name": name, "firstAvailable": [{"name": f"x{at}", **one} for at, one in enumerate(each)]}, **devices
    )


WHOLE = {"deviceClassName": CLASS}
REFUSED = {
    "alternatives of two vendors": (alternatives(WHOLE, {"deviceClassName": "gpu.amd.com"}), "firstAvailable"),
    "alternatives of two sizes": (
        alternatives({**WHOLE, "selectors": [{"cel": {"expression": least("40Gi")}}]}, WHOLE),
        "alternatives (firstAvailable) give different devices",
    ),
    "two devices or one": (alternatives({**WHOLE, "count": 2}, WHOLE), "firstAvailable"),
    "one that is shared, or one that is not": (
        alternatives(WHOLE, WHOLE, config=[{"requests": ["gpu/x1"], "opaque": {"driver": CLASS, "parameters": MPS}}]),
        "firstAvailable",
    ),
    "an alternative for all devices": (alternatives(WHOLE, {**WHOLE, "allocationMode": "All"}), "allocationMode: All"),
    "an alternative of a class that nobody knows": (alternatives(WHOLE, {"deviceClassName": "x"}), '"x"'),
    "nine alternatives": (alternatives(*[WHOLE] * 9), "9 alternatives"),
    "alternatives whose devices match": (
        alternatives({**WHOLE, "count": 2}, {**WHOLE, "count": 2}, constraints=[{"matchAttribute": PCIE}]),
        "pcieRoot",
    ),
    "all devices": (template(request(allocationMode="All")), "allocationMode: All"),
    "adminAccess": (template(request(adminAccess=True)), "adminAccess"),
    "tolerations": (template(request(tolerations=[{"operator": "Exists"}])), "tolerations"),
    "no whole number": (template(request(count="2")), "no whole number"),
    "a count of zero": (template(request(count=0)), "no whole number"),
    "another selector": (
        template(request(cel=["device.attributes['gpu.nvidia.com'].productName.startsWith('A100')"])),
        "selected by",
    ),
    "half a selector": (template(request(cel=[f"{least('8Gi')} || true"])), "selected by"),
    "a selector of another domain": (template(request(cel=[least("8Gi", "gpu.amd.com")])), "selected by"),
    "10 kB of a selector": (template(request(cel=["(" * 5000 + ")" * 5000])), "selected by"),
    "devices that match": (
        template(request(count=2), constraints=[{"matchAttribute": "resource.kubernetes.io/pcieRoot"}]),
        "pcieRoot",
    ),
    "another configuration": (
        template(request(), config=[{"opaque": {"driver": "example.com", "parameters": {}}}]),
        "example.com",
    ),
    "a configuration that shares nothing": (
        template(request(), config=[{"opaque": {"driver": CLASS, "parameters": {"kind": "VfioDeviceConfig"}}}]),
        "configuration",
    ),
    "another capacity": (template(request(capacity={"shares": 1})), "shares"),
    "no amount": (template(request(capacity={"memory": "lots"})), "not an amount"),
    "a smaller share of a larger card": (
        template(request(capacity={"memory": "8Gi"}, cel=[least("40Gi")])),
        "more memory than the share",
    ),
    "any MIG device": (template(request(device_class="mig.nvidia.com")), "any profile"),
    "two profiles at once": (
        template(request(device_class="mig.nvidia.com", cel=[profile("1g.10gb"), profile("2g.20gb")])),
        "selected by",
    ),
    "a class of passthrough": (template(request(device_class="vfio.gpu.nvidia.com")), "vfio.gpu.nvidia.com"),
    "requests that differ": (
        template(request("a", capacity={"memory": "8Gi"}), request("b", capacity={"memory": "9Gi"})),
        "differ",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("target", TARGETS)
    def test_more_than_a_backend_has_words_for(self, run, target):
        code, documents, err = run([template(request(allocationMode="All")), pod("gpu")], "--to", target)
        assert code == 1
        assert documents[1] == pod("gpu")
        assert "allocationMode: All" in err

    @pytest.mark.parametrize(("made", "reported"), REFUSED.values(), ids=REFUSED)
    def test_what_would_be_lost(self, run, made, reported):
        code, documents, err = run([made, pod("gpu")], "--to", "hami")
        assert code == 1
        assert documents[1] == pod("gpu")
        (line,) = [each for each in err.splitlines() if "GPU102" in each]
        assert reported in line
        assert len(line) < 700

    def test_devices_that_belong_to_those_of_another_container(self, run):
        """A constraint of the claim ties what two containers use: none of them can be carried without the other."""
        tied = template(request("a"), request("b"), constraints=[{"requests": ["a", "b"], "matchAttribute": PCIE}])
        containers = [
            {"name": each, "image": "i", "resources": {"claims": [{"name": "gpu", "request": each}]}} for each in "ab"
        ]
        code, documents, err = run([tied, pod("gpu", containers=containers)], "--to", "exclusive")
        assert code == 1
        assert documents[1] == pod("gpu", containers=containers)
        assert err.count("pcieRoot") == 2

    def test_a_device_that_two_containers_use_at_once(self, run):
        two = [{"name": name, "image": "i", "resources": {"claims": [{"name": "gpu"}]}} for name in "ab"]
        given = pod("gpu", containers=two)
        code, documents, err = run([template(request(capacity={"memory": "8Gi"})), given], "--to", "hami")
        assert code == 1
        assert documents[1] == given
        assert 'container "b" uses too' in err

    def test_cards_of_another_vendor(self, run):
        requested = request(device_class="gpu.amd.com", capacity={"memory": "8Gi"})
        code, documents, err = run([template(requested), pod("gpu")], "--to", "hami")
        assert code == 1
        assert documents[1] == pod("gpu")
        assert "of the vendor amd" in err

    def test_a_resource_and_a_claim_in_one_container(self, run):
        both = pod("gpu")
        both["spec"]["containers"][0]["resources"]["limits"] = {"gpu-admission.io/gpu-mem": "8Gi"}
        code, documents, err = run([template(request(capacity={"memory": "8Gi"})), both], "--to", "hami")
        assert code == 1
        assert documents[1] == both
        assert "GPU103" in err

    def test_templates_of_no_shape_are_no_end(self, run):
        for broken in (
            None,
            [],
            "x",
            {"spec": None},
            {"spec": {"devices": []}},
            {"spec": {"devices": {"requests": 1}}},
        ):
            made = {**template(), "spec": broken}
            code, documents, _ = run([made, pod("gpu")], "--to", "hami")
            assert documents[1] == pod("gpu")
            assert code in {0, 1}

    def test_more_claims_and_requests_than_can_be_met(self, run):
        many = [f"g{number}" for number in range(65)]
        code, _, err = run([*(template(request(), name=name) for name in many), pod(*many)], "--to", "hami")
        assert code == 1
        assert "65 claims" in err
        long = template(*(request(f"r{number}") for number in range(1_000)))
        code, documents, err = run([long, pod("gpu")], "--to", "hami")
        assert (code, documents[1]) == (1, pod("gpu"))
        assert "1000 requests" in err

    def test_a_thousand_entries_end_in_one_refusal(self, run):
        many = [f"c{number}" for number in range(1_000)]
        given = pod(
            containers=[{"name": "a", "image": "i", "resources": {"claims": [{"name": each} for each in many]}}]
        )
        given["spec"]["resourceClaims"] = [{"name": each, "resourceClaimTemplateName": "gpu"} for each in many]
        code, documents, err = run([template(request()), given], "--to", "hami")
        assert (code, documents[1]) == (1, given)
        assert err.count("GPU102") == 1
        assert "1000 claims" in err

    @pytest.mark.parametrize("requests", [("gpu",) * 600, tuple(f"r{number}" for number in range(600))])
    def test_more_containers_than_are_translated(self, run, requests):
        used = [
            {"name": f"c{number}", "image": "i", "resources": {"claims": [{"name": "gpu", "request": name}]}}
            for number, name in enumerate(requests)
        ]
        code, documents, err = run([template(request()), pod("gpu", containers=used)], "--to", "hami")
        assert documents[1] == pod("gpu", containers=used)
        assert code in {0, 1}
        assert err.count("GPU102") <= 1

    @pytest.mark.parametrize(
        ("first", "second", "shared"),
        [("", "", True), ("a", "a", True), ("a", "", True), ("", "a", True), ("a", "b", False)],
    )
    @pytest.mark.parametrize("beside", ["containers", "sidecar", "init"])
    def test_who_shares_a_device_with_whom(self, run, first, second, shared, beside):
        made = template(request("a", capacity={"memory": "8Gi"}), request("b", capacity={"memory": "8Gi"}))

        def using(name, wanted, **fields):
            entry = {"name": "gpu", "request": wanted} if wanted else {"name": "gpu"}
            return {"name": name, "image": "i", "resources": {"claims": [entry]}, **fields}

        other = using("x", second, **({"restartPolicy": "Always"} if beside == "sidecar" else {}))
        given = pod("gpu", containers=[using("a", first)])
        given["spec"].setdefault("initContainers" if beside != "containers" else "containers", []).append(other)
        code, _, err = run([made, given], "--to", "volcano-vgpu" if beside == "containers" else "hami")
        assert ("uses too" in err) is (shared and beside != "init")
        assert code == int(shared and beside != "init")


class TestShared:
    def shared(self, kind, limits, containers=1, **spec):
        listed = [{"name": f"c{n}", "image": "i", "resources": {"limits": dict(limits)}} for n in range(containers)]
        pods = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": listed}}
        version = "batch/v1" if kind in {"Job", "CronJob"} else "apps/v1"
        return {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": {**spec, "template": pods}}

    def claims(self, documents):
        return [one for one in documents if one["kind"] == "ResourceClaim"]

    def test_a_claim_reserves_what_all_pods_ask_for(self, run):
        made = self.shared("StatefulSet", {"gpu-admission.io/gpu-mem": "4Gi"}, containers=2, replicas=3)
        code, documents, err = run([made], "--to", "dra", "--claims")
        assert (code, err) == (0, "")
        (claim,) = self.claims(documents)
        assert claim["metadata"]["name"] == "statefulset-web-gpu-4gi"
        exactly = claim["spec"]["devices"]["requests"][0]["exactly"]
        assert exactly["capacity"] == {"requests": {"memory": "24Gi"}}
        assert "24Gi" in exactly["selectors"][0]["cel"]["expression"]
        spec = documents[0]["spec"]["template"]["spec"]
        assert spec["resourceClaims"] == [{"name": "gpu", "resourceClaimName": "statefulset-web-gpu-4gi"}]
        assert [each["resources"] for each in spec["containers"]] == [{"claims": [{"name": "gpu"}]}] * 2

    @pytest.mark.parametrize(
        ("kind", "spec", "pods"),
        [
            ("Deployment", {"replicas": 4}, 5),
            ("Deployment", {"replicas": 4, "strategy": {"type": "Recreate"}}, 4),
            ("Deployment", {"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": 3}}}, 7),
            ("Deployment", {"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": "50%"}}}, 5),
            ("Deployment", {}, 2),
            ("ReplicaSet", {"replicas": 4}, 4),
            ("Job", {"parallelism": 4}, 4),
            ("Job", {}, 1),
        ],
    )
    def test_all_pods_that_run_at_once_count(self, run, kind, spec, pods):
        made = self.shared(kind, {"gpu-admission.io/gpu-mem": "1Gi"}, **spec)
        _, documents, _ = run([made], "--to", "dra", "--claims")
        (claim,) = self.claims(documents)
        assert claim["spec"]["devices"]["requests"][0]["exactly"]["capacity"]["requests"]["memory"] == f"{pods}Gi"

    @pytest.mark.parametrize(
        ("kind", "limits", "spec", "reported"),
        [
            ("DaemonSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {}, "several nodes"),
            ("StatefulSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {"replicas": 257}, "256 pods"),
            ("StatefulSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {"replicas": "three"}, "no known number"),
            ("StatefulSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {"replicas": -1}, "no known number"),
            ("Deployment", {"gpu-admission.io/gpu-mem": "1Gi"}, {"strategy": {"rollingUpdate": {"maxSurge": "x"}}}, "no"),
            ("StatefulSet", {"gpu-admission.io/gpu-count": 1}, {"replicas": 2}, "a device of its own"),
        ],
    )  # fmt: skip
    def test_what_pods_cannot_share_is_refused(self, run, kind, limits, spec, reported):
        made = self.shared(kind, limits, **spec)
        code, documents, err = run([made], "--to", "dra", "--claims")
        assert code == 1
        assert documents == [made]
        assert reported in err

    @pytest.mark.parametrize("metadata", [{}, {"generateName": "p-"}, {"name": ""}, {"name": 3}])
    def test_what_has_no_name_has_no_claim_either(self, run, metadata):
        made = pod(
            containers=[{"name": "a", "image": "i", "resources": {"limits": {"gpu-admission.io/gpu-mem": "1Gi"}}}]
        )
        made["metadata"] = metadata
        code, documents, err = run([made], "--to", "dra", "--claims")
        assert (code, documents) == (1, [made])
        assert "without a name" in err

    def test_more_than_the_largest_card_is_refused(self, run, tmp_path):
        spec = {"backend": {"name": "dra"}, "cluster": {"cards": [{"model": "A100-40"}]}}
        meta = {"apiVersion": "gpu-admission.io/v1alpha1", "kind": "GPUPolicy", "metadata": {"name": "x"}}
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump({**meta, "spec": spec}))
        made = self.shared("StatefulSet", {"gpu-admission.io/gpu-mem": "16Gi"}, replicas=3)
        code, documents, err = run([made], "--to", "dra", "--claims", "-p", "policy.yaml")
        assert (code, documents) == (1, [made])
        assert "GPU105" in err
        assert "48Gi on one GPU" in err

    def test_mps_limits_each_and_reserves_for_all(self, run, tmp_path):
        spec = {"backend": {"name": "dra", "sharing": "mps"}}
        meta = {"apiVersion": "gpu-admission.io/v1alpha1", "kind": "GPUPolicy", "metadata": {"name": "x"}}
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump({**meta, "spec": spec}))
        requested = {"gpu-admission.io/gpu-mem": "10Gi", "gpu-admission.io/gpu-core": 30}
        made = self.shared("StatefulSet", requested, replicas=3)
        code, documents, _ = run([made], "--to", "dra", "--claims", "-p", "policy.yaml")
        assert code == 0
        (claim,) = self.claims(documents)
        devices = claim["spec"]["devices"]
        assert devices["requests"][0]["exactly"]["capacity"]["requests"]["memory"] == "30Gi"
        assert devices["config"][0]["opaque"]["parameters"]["sharing"]["mpsConfig"] == {
            "defaultActiveThreadPercentage": 30,
            "defaultPinnedDeviceMemoryLimit": "10Gi",
        }
        made = self.shared("StatefulSet", requested, replicas=4)
        code, _, err = run([made], "--to", "dra", "--claims", "-p", "policy.yaml")
        assert code == 1
        assert "request 25 percent" in err

    def test_claims_are_of_dra_alone(self, run):
        code, _, err = run([self.shared("Job", {"gpu-admission.io/gpu-mem": "1Gi"})], "--to", "hami", "--claims")
        assert code == 2
        assert "--claims cannot be combined with --to hami" in err
