"""gpu-admission translate from claims, and to claims that are shared, through its front door."""

import json

import pytest
import yaml

from gpu_admission.backends import registry
from gpu_admission.commands.main import main

CLASS = "gpu.nvidia.com"
HAMI = "hami-core-gpu.project-hami.io"
TARGETS = [name for name in registry.NAMES if name != "dra"]


def template(*requests, name="gpu", **devices):
    spec = {"spec": {"devices": {"requests": list(requests), **devices}}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": spec,
    }


def request(name="gpu", device_class=CLASS, *, cel=(), capacity=None, **fields):
    exactly = {"deviceClassName": device_class, **fields}
    if cel:
        exactly["selectors"] = [{"cel": {"expression": each}} for each in cel]
    if capacity:
        exactly["capacity"] = {"requests": capacity}
    return {"name": name, "exactly": exactly}


def pod(*claims, containers=None, **spec):
    """A pod whose one container uses all its claims, which are named like their templates."""
    entries = [{"name": claim, "resourceClaimTemplateName": claim} for claim in claims]
    container = {"name": "a", "image": "i", "resources": {"claims": [{"name": claim} for claim in claims]}}
    listed = containers if containers is not None else [container]
    named = {"resourceClaims": entries} if entries else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {**named, "containers": listed, **spec},
    }


def least(amount, domain=CLASS):
    return f"device.capacity['{domain}'].memory.compareTo(quantity('{amount}')) >= 0"


def profile(name):
    return f"device.attributes['{CLASS}'].profile == '{name}'"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def translated(documents, *words):
        (tmp_path / "in.yaml").write_text(yaml.safe_dump_all(documents))
        code = main(["translate", *words, "in.yaml"])
        shown = capsys.readouterr()
        return code, list(yaml.safe_load_all(shown.out)), shown.err

    return translated


def limits(documents, index=0):
    (found,) = [one for one in documents if one["kind"] == "Pod"]
    return found["spec"]["containers"][index].get("resources", {}).get("limits")


class TestFromClaims:
    @pytest.mark.parametrize(
        ("asked", "target", "arrives"),
        [
            (request(capacity={"memory": "8Gi"}), "hami", {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 8192}),
            (request(capacity={f"{CLASS}/memory": "8Gi"}), "gpushare", {"aliyun.com/gpu-mem": 8}),
            (request(capacity={"memory": "8Gi"}, cel=[least("8Gi")]), "mig", {"nvidia.com/mig-1g.10gb": 1}),
            (request(count=2), "exclusive", {"nvidia.com/gpu": 2}),
            (request(count=2), "volcano-vgpu", {"volcano.sh/vgpu-number": 2}),
            (request(), "koordinator", {"nvidia.com/gpu": 1}),
            (
                request(device_class="mig.nvidia.com", cel=[profile("1g.10gb+me")]),
                "mig",
                {"nvidia.com/mig-1g.10gb.me": 1},
            ),
            (
                request(device_class="mig.nvidia.com", cel=[profile("3g.40gb")]),
                "hami",
                {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 40192, "nvidia.com/gpucores": 43},
            ),
            (
                request(device_class=HAMI, capacity={"memory": "8Gi", "cores": 30}),
                "volcano-vgpu",
                {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192, "volcano.sh/vgpu-cores": 30},
            ),
            (
                request(cel=[f"device.attributes['{CLASS}'].type == 'gpu' && {least('8Gi')}"], capacity={"memory": "8Gi"}),
                "volcano",
                {"volcano.sh/gpu-memory": 8192},
            ),
        ],
    )  # fmt: skip
    def test_a_request_arrives_in_the_targets_words(self, run, asked, target, arrives):
        code, documents, err = run([template(asked), pod("gpu")], "--to", target)
        assert (code, err) == (0, "")
        assert limits(documents) == arrives
        assert "resourceClaims" not in documents[1]["spec"]
        assert documents[0] == template(asked), "the template stays as it is"

    def test_kai_has_no_resources(self, run):
        _, documents, _ = run([template(request(capacity={"memory": "8Gi"})), pod("gpu")], "--to", "kai")
        assert documents[1]["metadata"]["annotations"] == {"gpu-memory": "8192"}
        assert documents[1]["spec"]["containers"] == [{"name": "a", "image": "i"}]

    def test_time_slices_arrive_as_shares(self, run):
        sharing = {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}
        parameters = {"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfig", "sharing": sharing}
        config = [{"requests": ["gpu"], "opaque": {"driver": CLASS, "parameters": parameters}}]
        given = [template(request(), config=config), pod("gpu")]
        code, documents, _ = run(given, "--to", "time-slicing")
        assert code == 0
        assert limits(documents) == {"nvidia.com/gpu": 1}
        code, documents, err = run(given, "--to", "hami")
        assert code == 1
        assert "whose size only the cluster" in err

    def test_mps_says_how_much_each_client_has(self, run):
        limited = {"defaultActiveThreadPercentage": 30, "defaultPinnedDeviceMemoryLimit": "10Gi"}
        sharing = {"strategy": "MPS", "mpsConfig": limited}
        config = [{"opaque": {"driver": CLASS, "parameters": {"kind": "GpuConfig", "sharing": sharing}}}]
        two = [{"name": name, "image": "i", "resources": {"claims": [{"name": "gpu"}]}} for name in "ab"]
        shared = pod("gpu", containers=two)
        code, documents, _ = run([template(request(), config=config), shared], "--to", "hami")
        assert code == 0
        for index in range(2):
            assert limits(documents, index) == {
                "nvidia.com/gpu": 1,
                "nvidia.com/gpumem": 10240,
                "nvidia.com/gpucores": 30,
            }

    def test_a_whole_card_that_has_to_be_large_takes_a_node_that_has_one(self, run):
        given = [template(request(cel=[least("40Gi")])), pod("gpu")]
        code, documents, _ = run(given, "--to", "exclusive")
        assert code == 0
        assert "40959" in json.dumps(documents[1]["spec"]["affinity"])
        code, _, err = run(given, "--to", "hami")
        assert code == 1
        assert "a whole card with at least 40Gi" in err

    def test_a_container_may_use_one_request_of_a_claim(self, run):
        two = template(request("small", capacity={"memory": "8Gi"}), request("large", capacity={"memory": "40Gi"}))
        used = [
            {"name": name, "image": "i", "resources": {"claims": [{"name": "gpu", "request": name}]}}
            for name in ("small", "large")
        ]
        code, documents, err = run([two, pod("gpu", containers=used)], "--to", "hami")
        assert (code, err) == (0, "")
        assert [limits(documents, index)["nvidia.com/gpumem"] for index in range(2)] == [8192, 40960]
        assert "resourceClaims" not in documents[1]["spec"]

    def test_several_claims_of_one_kind_are_several_gpus(self, run):
        given = [template(request(capacity={"memory": "8Gi"}), name=name) for name in ("one", "two")]
        code, documents, _ = run([*given, pod("one", "two")], "--to", "hami")
        assert code == 0
        assert limits(documents) == {"nvidia.com/gpu": 2, "nvidia.com/gpumem": 8192}

    def test_what_is_no_gpu_stays(self, run):
        nic = template(request("nic", "dra.net"), name="nic")
        given = [nic, template(request(capacity={"memory": "8Gi"})), pod("nic", "gpu")]
        code, documents, _ = run(given, "--to", "hami")
        assert code == 0
        spec = documents[2]["spec"]
        assert spec["resourceClaims"] == [{"name": "nic", "resourceClaimTemplateName": "nic"}]
        assert spec["containers"][0]["resources"]["claims"] == [{"name": "nic"}]

    def test_an_init_container_that_uses_the_claim_first_has_a_request_of_its_own(self, run):
        first = {"name": "i", "image": "i", "resources": {"claims": [{"name": "gpu"}]}}
        given = [template(request(capacity={"memory": "8Gi"})), pod("gpu", initContainers=[first])]
        code, documents, _ = run(given, "--to", "hami")
        assert code == 0
        assert documents[1]["spec"]["initContainers"][0]["resources"]["limits"]["nvidia.com/gpumem"] == 8192
        assert "resourceClaims" not in documents[1]["spec"]

    def test_the_template_may_be_in_another_file(self, run, tmp_path):
        (tmp_path / "t.yaml").write_text(yaml.safe_dump(template(request(capacity={"memory": "8Gi"}))))
        code, documents, _ = run([pod("gpu")], "--to", "hami", "t.yaml")
        assert code == 0
        assert limits(documents)["nvidia.com/gpumem"] == 8192

    def test_pods_anywhere_in_a_list_find_the_template_of_their_namespace(self, run):
        made = template(request(capacity={"memory": "8Gi"}))
        made["metadata"]["namespace"] = "team"
        nested = {"template": {"spec": {**pod("gpu")["spec"], "restartPolicy": "Never"}}}
        cron = {"schedule": "0 * * * *", "jobTemplate": {"spec": nested}}
        job = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "c", "namespace": "team"},
            "spec": cron,
        }
        other = pod("gpu")
        other["metadata"]["namespace"] = "elsewhere"
        code, documents, err = run([{"apiVersion": "v1", "kind": "List", "items": [made, job, other]}], "--to", "hami")
        assert code == 0
        translated = documents[0]["items"][1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert translated["containers"][0]["resources"]["limits"]["nvidia.com/gpumem"] == 8192
        assert "resourceClaims" not in translated
        assert documents[0]["items"][2] == other
        assert "Pod p: claims of" in err

    def test_only_what_is_named_is_translated(self, run):
        given = [template(request(capacity={"memory": "8Gi"})), pod("gpu")]
        assert run(given, "--to", "hami", "--from", "gpushare")[:2] == (0, given)
        assert limits(run(given, "--to", "hami", "--from", "dra")[1]) is not None

    def test_a_claim_of_unknown_make_stays_and_is_told(self, run):
        code, documents, err = run([pod("gpu")], "--to", "hami")
        assert (code, documents) == (0, [pod("gpu")])
        assert err == 'in.yaml: Pod p: claims of "gpu" stay: what they are made from is not among the inputs\n'
        assert run([pod("gpu")], "--to", "dra")[2] == ""

    def test_lint_and_mutate_leave_claims_to_the_clusters_driver(self, run, capsys):
        run([template(request(capacity={"memory": "8Gi"})), pod("gpu")], "--to", "hami")
        main(["mutate", "-p", "hami", "in.yaml"])
        assert "nvidia.com/gpumem" not in capsys.readouterr().out


def device_class(name, extended=None, driver=CLASS):
    spec = {"selectors": [{"cel": {"expression": f"device.driver == '{driver}'"}}]}
    if extended:
        spec["extendedResourceName"] = extended
    return {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def asking(**limits):
    return pod(containers=[{"name": "a", "image": "i", "resources": {"limits": limits}}])


class TestNamesByClass:
    PREFIX = "deviceclass.resource.kubernetes.io/"

    @pytest.mark.parametrize("name", ["nvidia.com/mig-1g.10gb", "nvidia.com/gpu"])
    def test_what_a_class_offers_is_left_alone(self, run, name):
        given = [device_class("mine", extended=name), asking(**{name: 1})]
        words = ["--to", "dra", "--from", "mig", "--from", "exclusive"]
        assert run(given, *words) == (0, given, "")
        other = [device_class("mine", extended="example.com/other"), asking(**{name: 1})]
        assert "resourceClaims" in run(other, *words)[1][1]["spec"]

    def test_whole_devices_by_a_classs_name_are_whole_gpus_elsewhere(self, run):
        given = [asking(**{f"{self.PREFIX}gpu.nvidia.com": 2})]
        assert limits(run(given, "--to", "volcano-vgpu")[1]) == {"volcano.sh/vgpu-number": 2}
        assert limits(run(given, "--to", "exclusive")[1]) == {"nvidia.com/gpu": 2}
        assert run(given, "--to", "dra", "--from", "exclusive")[:2] == (0, given)
        assert run(given, "--to", "hami", "--from", "gpushare")[:2] == (0, given)

    def test_a_class_of_the_administrators_own_is_read_from_the_input(self, run):
        given = [device_class("mine"), asking(**{f"{self.PREFIX}mine": 2})]
        assert limits(run(given, "--to", "hami")[1]) == {"nvidia.com/gpu": 2}

    @pytest.mark.parametrize(
        ("name", "says"), [("mig.nvidia.com", "any profile"), ("gpu.amd.com", "of the vendor amd")]
    )
    def test_what_others_cannot_say_is_refused(self, run, name, says):
        given = [asking(**{f"{self.PREFIX}{name}": 1})]
        code, documents, err = run(given, "--to", "hami")
        assert (code, documents) == (1, given)
        assert says in err

    def test_lint_leaves_them_to_kubernetes(self, run, capsys):
        run([asking(**{f"{self.PREFIX}gpu.nvidia.com": 2})], "--to", "hami")
        main(["mutate", "-p", "hami", "in.yaml"])
        assert f"{self.PREFIX}gpu.nvidia.com: 2" in capsys.readouterr().out


ALTERNATIVES = {"name": "gpu", "firstAvailable": [{"name": "x", "deviceClassName": CLASS}]}
REFUSED = {
    "alternatives": (template(ALTERNATIVES), "firstAvailable"),
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

    @pytest.mark.parametrize(("made", "says"), REFUSED.values(), ids=REFUSED)
    def test_what_would_be_lost(self, run, made, says):
        code, documents, err = run([made, pod("gpu")], "--to", "hami")
        assert code == 1
        assert documents[1] == pod("gpu")
        (line,) = [each for each in err.splitlines() if "GPU102" in each]
        assert says in line
        assert len(line) < 700

    def test_a_claim_that_is_shared_by_name(self, run):
        claim = {**template(request()), "kind": "ResourceClaim"}
        claim["spec"] = claim["spec"]["spec"]
        shared = pod(containers=[{"name": "a", "image": "i", "resources": {"claims": [{"name": "gpu"}]}}])
        shared["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimName": "gpu"}]
        code, documents, err = run([claim, shared], "--to", "hami")
        assert code == 1
        assert documents[1] == shared
        assert "everybody who names it shares" in err

    def test_a_device_that_two_containers_use_at_once(self, run):
        two = [{"name": name, "image": "i", "resources": {"claims": [{"name": "gpu"}]}} for name in "ab"]
        given = pod("gpu", containers=two)
        code, documents, err = run([template(request(capacity={"memory": "8Gi"})), given], "--to", "hami")
        assert code == 1
        assert documents[1] == given
        assert 'container "b" uses too' in err

    def test_cards_of_another_maker(self, run):
        asked = request(device_class="gpu.amd.com", capacity={"memory": "8Gi"})
        code, documents, err = run([template(asked), pod("gpu")], "--to", "hami")
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
        ("kind", "limits", "spec", "says"),
        [
            ("DaemonSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {}, "several nodes"),
            ("StatefulSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {"replicas": 257}, "256 pods"),
            ("StatefulSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {"replicas": "three"}, "no known number"),
            ("StatefulSet", {"gpu-admission.io/gpu-mem": "1Gi"}, {"replicas": -1}, "no known number"),
            ("Deployment", {"gpu-admission.io/gpu-mem": "1Gi"}, {"strategy": {"rollingUpdate": {"maxSurge": "x"}}}, "no"),
            ("StatefulSet", {"gpu-admission.io/gpu-count": 1}, {"replicas": 2}, "a device of its own"),
        ],
    )  # fmt: skip
    def test_what_pods_cannot_share_is_refused(self, run, kind, limits, spec, says):
        made = self.shared(kind, limits, **spec)
        code, documents, err = run([made], "--to", "dra", "--claims")
        assert code == 1
        assert documents == [made]
        assert says in err

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
        asked = {"gpu-admission.io/gpu-mem": "10Gi", "gpu-admission.io/gpu-core": 30}
        made = self.shared("StatefulSet", asked, replicas=3)
        code, documents, _ = run([made], "--to", "dra", "--claims", "-p", "policy.yaml")
        assert code == 0
        (claim,) = self.claims(documents)
        devices = claim["spec"]["devices"]
        assert devices["requests"][0]["exactly"]["capacity"]["requests"]["memory"] == "30Gi"
        assert devices["config"][0]["opaque"]["parameters"]["sharing"]["mpsConfig"] == {
            "defaultActiveThreadPercentage": 30,
            "defaultPinnedDeviceMemoryLimit": "10Gi",
        }
        made = self.shared("StatefulSet", asked, replicas=4)
        code, _, err = run([made], "--to", "dra", "--claims", "-p", "policy.yaml")
        assert code == 1
        assert "request 25 percent" in err

    def test_claims_are_of_dra_alone(self, run):
        code, _, err = run([self.shared("Job", {"gpu-admission.io/gpu-mem": "1Gi"})], "--to", "hami", "--claims")
        assert code == 2
        assert "--claims cannot be combined with --to hami" in err
