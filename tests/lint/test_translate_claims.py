"""gpu-admission translate from claims, through its front door."""

import json

import pytest
import yaml
from lint.claim_manifests import (
    CLASS,
    HAMI,
    asking,
    device_class,
    least,
    limits,
    pod,
    profile,
    request,
    template,
)

from gpu_admission.commands.main import main


def claim(*requests, name="own", namespace=None, **devices):
    """A ResourceClaim, which pods name themselves."""
    made = template(*requests, name=name, **devices)
    space = {"namespace": namespace} if namespace else {}
    return {**made, "kind": "ResourceClaim", "metadata": {"name": name, **space}, "spec": made["spec"]["spec"]}


def naming(claimed="own", namespace=None, name="p"):
    """A pod whose one container uses a ResourceClaim."""
    made = pod("gpu")
    made["metadata"] = {"name": name, **({"namespace": namespace} if namespace else {})}
    made["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimName": claimed}]
    return made


def workload(kind, claimed="own", group="apps", **spec):
    inner = naming(claimed)["spec"]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": inner}
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": "w"},
        "spec": {"template": template, **spec},
    }


class TestFromAResourceClaim:
    """One that a single pod names is that pod's own, like one that a template makes."""

    @pytest.mark.parametrize("used", [
        naming(),
        workload("Job", group="batch"),
        workload("StatefulSet", replicas=1),
        workload("Deployment", strategy={"type": "Recreate"}),
    ], ids=lambda used: used["kind"])  # fmt: skip
    def test_a_single_pod(self, run, used):
        code, documents, err = run([claim(request(capacity={"memory": "8Gi"})), used], "--to", "hami")
        assert (code, err) == (0, "")
        spec = documents[1]["spec"]
        inner = spec if used["kind"] == "Pod" else spec["template"]["spec"]
        assert inner["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 8192}
        assert "resourceClaims" not in inner

    @pytest.mark.parametrize(("others", "reported"), [
        ([naming(name="q")], "2 pods use"),
        ([workload("StatefulSet", replicas=3)], "4 pods use"),
        ([workload("DaemonSet")], "several pods may use"),
        ([workload("TrainJob", group="example.com")], "several pods may use"),
        ([{"apiVersion": "v1", "kind": "List", "items": [naming(name="q"), naming(name="r")]}], "3 pods use"),
    ])  # fmt: skip
    def test_several_pods(self, run, others, reported):
        made = claim(request(capacity={"memory": "8Gi"}))
        code, documents, err = run([made, naming(), *others], "--to", "hami")
        assert code == 1
        assert documents[1] == naming()
        assert reported in err
        assert "no other backend has pods share a request" in err

    @pytest.mark.parametrize("used", [
        workload("Deployment"), workload("Deployment", replicas=2), workload("DaemonSet"),
        workload("Job", group="batch", parallelism=2), workload("Job", group="batch", parallelism="x"),
    ])  # fmt: skip
    def test_a_workload_of_several(self, run, used):
        code, documents, err = run([claim(request()), used], "--to", "exclusive")
        assert code == 1
        assert documents[1] == used
        assert "they share its devices" in err

    def test_pods_of_other_namespaces_have_other_claims(self, run):
        given = [claim(request(), namespace="a"), naming(namespace="a"), naming(namespace="b")]
        code, documents, err = run(given, "--to", "exclusive")
        assert limits([documents[1]]) == {"nvidia.com/gpu": 1}
        assert code == 0
        assert 'claims of "own" stay' in err

    def test_a_pod_without_a_namespace_may_be_of_any(self, run):
        given = [claim(request(), namespace="a"), naming(namespace="a"), naming(name="q")]
        code, _, err = run(given, "--to", "exclusive")
        assert code == 1
        assert "2 pods use" in err

    def test_the_other_pod_may_stand_in_another_file(self, tmp_path, capsys):
        for name, obj in {"c": claim(request()), "p": naming(), "q": naming(name="q")}.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(obj))
        one, both = [tmp_path / "c.json", tmp_path / "p.json"], [tmp_path]
        assert main(["translate", "--to", "exclusive", *map(str, one)]) == 0
        assert "nvidia.com/gpu" in capsys.readouterr().out
        assert main(["translate", "--to", "exclusive", *map(str, both)]) == 1
        assert capsys.readouterr().err.count("2 pods use") == 2


class TestAlternatives:
    """firstAvailable is carried where whichever is chosen means the same."""

    @pytest.mark.parametrize(("each", "target", "arrives"), [
        ([{"deviceClassName": CLASS}], "exclusive", {"nvidia.com/gpu": 1}),
        ([{"deviceClassName": CLASS, "count": 2}, {"deviceClassName": "fast", "count": 2}], "exclusive",
         {"nvidia.com/gpu": 2}),
        ([{"deviceClassName": CLASS, "capacity": {"requests": {"memory": "8Gi"}}},
          {"deviceClassName": "fast", "capacity": {"requests": {f"{CLASS}/memory": "8192Mi"}}}], "hami",
         {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 8192}),
        ([{"deviceClassName": CLASS, "selectors": [{"cel": {"expression": f"device.attributes['{CLASS}'].type == 'gpu'"}}]},
          {"deviceClassName": CLASS}], "koordinator", {"nvidia.com/gpu": 1}),
    ])  # fmt: skip
    def test_that_mean_the_same(self, run, each, target, arrives):
        made = template({"name": "gpu", "firstAvailable": [{"name": f"x{at}", **one} for at, one in enumerate(each)]})
        code, documents, err = run([device_class("fast"), made, pod("gpu")], "--to", target)
        assert (code, err) == (0, "")
        assert limits(documents) == arrives

    def test_a_constraint_on_one_device_ties_nothing(self, run):
        tied = template(request(), constraints=[{"matchAttribute": "resource.kubernetes.io/pcieRoot"}])
        code, documents, err = run([tied, pod("gpu")], "--to", "exclusive")
        assert (code, err) == (0, "")
        assert limits(documents) == {"nvidia.com/gpu": 1}


class TestFromClaims:
    @pytest.mark.parametrize(
        ("requested", "target", "arrives"),
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
    def test_a_request_arrives_in_the_targets_words(self, run, requested, target, arrives):
        code, documents, err = run([template(requested), pod("gpu")], "--to", target)
        assert (code, err) == (0, "")
        assert limits(documents) == arrives
        assert "resourceClaims" not in documents[1]["spec"]
        assert documents[0] == template(requested), "the template stays as it is"

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


class TestNamesByClass:
    PREFIX = "deviceclass.resource.kubernetes.io/"

    @pytest.mark.parametrize("name", ["nvidia.com/mig-1g.10gb", "nvidia.com/gpu"])
    def test_what_a_class_offers_is_left_alone(self, run, name):
        given = [device_class("mine", extended=name), asking(**{name: 1})]
        arguments = ["--to", "dra", "--from", "mig", "--from", "exclusive"]
        assert run(given, *arguments) == (0, given, "")
        other = [device_class("mine", extended="example.com/other"), asking(**{name: 1})]
        assert "resourceClaims" in run(other, *arguments)[1][1]["spec"]

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
        ("name", "reported"), [("mig.nvidia.com", "any profile"), ("gpu.amd.com", "of the vendor amd")]
    )
    def test_what_others_cannot_say_is_refused(self, run, name, reported):
        given = [asking(**{f"{self.PREFIX}{name}": 1})]
        code, documents, err = run(given, "--to", "hami")
        assert (code, documents) == (1, given)
        assert reported in err

    def test_lint_leaves_them_to_kubernetes(self, run, capsys):
        run([asking(**{f"{self.PREFIX}gpu.nvidia.com": 2})], "--to", "hami")
        main(["mutate", "-p", "hami", "in.yaml"])
        assert f"{self.PREFIX}gpu.nvidia.com: 2" in capsys.readouterr().out
