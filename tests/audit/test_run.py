"""An audit against the API stand-in: by owner, once, whatever the API does meanwhile."""

import copy
from typing import ClassVar

import pytest
from api_standin import CUT, Reply, status
from audit_objects import NAILED, managed, metadata, pod, reference, spec, workload

from gpu_admission.audit.run import audit
from gpu_admission.cluster.errors import CredentialsError, ForbiddenError, ServerError
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader

DEFAULT = loader.load("default")
PRIVILEGED = spec(securityContext={"privileged": True})
PODS, DEPLOYMENTS = "/api/v1/pods", "/apis/apps/v1/deployments"
SETS, JOBS, CRDS = (
    "/apis/apps/v1/replicasets",
    "/apis/batch/v1/jobs",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
)


def rows(result):
    return [(str(row.owner), row.rule, row.consequence, row.pods) for row in result.rows()]


def of_rule(result, rule):
    return [each for each in rows(result) if each[1] == rule]


def deployed(api, name, body, pods=40):
    """A Deployment with its set, pods, and a set of an earlier revision that was worse."""
    deployment = workload("Deployment", name, body)
    current = workload("ReplicaSet", f"{name}-1", body, owner=deployment)
    earlier = workload("ReplicaSet", f"{name}-0", NAILED, owner=deployment)
    earlier["spec"]["replicas"] = 0
    api.lists[DEPLOYMENTS].append(deployment)
    api.lists[SETS] += [current, earlier]
    api.lists[PODS] += [pod(f"{name}-1-{number}", body | {"nodeName": "n"}, current) for number in range(pods)]
    return deployment


def test_a_deployment_once_and_not_its_forty_pods(connection, api):
    deployed(api, "trainer", PRIVILEGED)
    result = audit(connection, DEFAULT)
    assert rows(result) == [
        ("Deployment/trainer", "GPU201", "repair", 40),
        ("Deployment/trainer", "GPU303", "warn", 40),
    ]
    assert result.errors == result.notices == []
    assert (result.objects, result.pods) == (43, 40)
    row = result.rows()[1]
    assert row.kinds == {"Deployment": 1, "Pod": 40}
    assert row.registered
    assert len(row.findings) == 1


def test_every_owner_that_has_something_to_hear_of(connection, api):
    deployed(api, "a", PRIVILEGED, pods=2)
    deployed(api, "b", spec(gpus=0), pods=2)
    api.lists[PODS].append(pod("bare", PRIVILEGED))
    cron = workload("CronJob", "nightly", PRIVILEGED, api_version="batch/v1")
    job = workload("Job", "nightly-1", PRIVILEGED, owner=cron, api_version="batch/v1")
    api.lists["/apis/batch/v1/cronjobs"].append(cron)
    api.lists[JOBS].append(job)
    api.lists[PODS].append(pod("nightly-1-x", PRIVILEGED, job))
    assert of_rule(audit(connection, DEFAULT), "GPU303") == [
        ("CronJob/nightly", "GPU303", "warn", 1),
        ("Deployment/a", "GPU303", "warn", 2),
        ("Pod/bare", "GPU303", "warn", 1),
    ]


def test_owners_of_kinds_that_hold_no_pods_are_looked_up(connection, api):
    """A custom object owns another, which owns the pod: neither is listed, both are requested once."""
    api.serve("x.io", "v1", "teams", "Team")
    api.serve("x.io", "v1", "members", "Member")
    team = {"apiVersion": "x.io/v1", "kind": "Team", "metadata": metadata("t")}
    member = {"apiVersion": "x.io/v1", "kind": "Member", "metadata": metadata("m", owner=team)}
    api.single["/apis/x.io/v1/namespaces/team/teams/t"] = team
    api.single["/apis/x.io/v1/namespaces/team/members/m"] = member
    api.lists[PODS] += [pod(f"p{number}", PRIVILEGED, member) for number in range(5)]
    assert of_rule(audit(connection, DEFAULT), "GPU303") == [("Team/t", "GPU303", "warn", 5)]
    assert [path for path, _ in api.requests if "/x.io/" in path and "namespaces" in path] == [
        "/apis/x.io/v1/namespaces/team/members/m",
        "/apis/x.io/v1/namespaces/team/teams/t",
    ]


@pytest.mark.parametrize("code", [403, 404, 500])
def test_an_owner_that_cannot_be_looked_up_is_the_last_of_the_chain(connection, api, code):
    api.serve("x.io", "v1", "members", "Member")
    api.always = [lambda path, _: status(code) if "/members/" in path else None]
    for number in range(3):
        owner = {"apiVersion": "x.io/v1", "kind": "Member", "metadata": metadata(f"m{number}")}
        api.lists[PODS].append(pod(f"p{number}", PRIVILEGED, owner))
    result = audit(connection, DEFAULT)
    assert [each[0] for each in of_rule(result, "GPU303")] == ["Member/m0", "Member/m1", "Member/m2"]
    asked = [path for path, _ in api.requests if "/members/" in path]
    assert len(asked) == {403: 1, 404: 3, 500: 5}[code]  # what is refused once is refused for all
    assert result.errors == []


def test_owners_in_a_circle_end(connection, api):
    one, other = workload("Deployment", "one"), workload("Deployment", "other")
    one["metadata"]["ownerReferences"] = [reference(other)]
    other["metadata"]["ownerReferences"] = [reference(one)]
    api.lists[DEPLOYMENTS] += [one, other]
    api.lists[PODS].append(pod("p", PRIVILEGED, one))
    assert [each[0] for each in of_rule(audit(connection, DEFAULT), "GPU303")] == ["Deployment/other"]


def test_what_schedulers_wrote_is_not_held_against_a_pod(connection, api):
    shared = {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"aliyun.com/gpu-mem": 4}}}]}
    marks = {"ALIYUN_COM_GPU_MEM_IDX": "0", "ALIYUN_COM_GPU_MEM_ASSIGNED": "true"}
    bound = shared | {"nodeName": "n"}
    api.lists[PODS] += [
        pod("scheduled", bound, annotations=marks),
        pod("unknown-author", bound, annotations=marks, managedFields=[]),
        pod("forged", bound, annotations=marks, managedFields=managed(fields=["ALIYUN_COM_GPU_MEM_IDX"])),
        pod("pending-unknown", shared, annotations=marks, managedFields=[]),
        pod("nailed", bound, managedFields=managed("nodeName")),
        pod("nonsense", bound, annotations=marks, managedFields=[{"fieldsV1": 5}, {"fieldsV1": {"f:spec": []}}]),
    ]
    result = audit(connection, loader.load("gpushare"))
    found = {(name, rule) for name, rule, _, _ in rows(result) if rule in {"GPU203", "GPU307"}}
    assert found == {("Pod/forged", "GPU307"), ("Pod/pending-unknown", "GPU307"), ("Pod/nailed", "GPU203")}


def test_what_has_ended_is_counted_and_not_judged(connection, api):
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    api.lists[JOBS] += [
        workload("Job", "done", PRIVILEGED, api_version="batch/v1", status=done),
        workload("Job", "running", PRIVILEGED, api_version="batch/v1", status={"conditions": "odd"}),
    ]
    api.lists[PODS] += [pod("a", PRIVILEGED, phase="Succeeded"), pod("b", PRIVILEGED, phase="Failed")]
    result = audit(connection, DEFAULT)
    assert {each[0] for each in rows(result)} == {"Job/running"}
    assert result.ended == 3


def test_namespaces_that_the_policy_does_not_judge(connection, api):
    api.lists[PODS] += [pod("a", PRIVILEGED, namespace="kube-system"), pod("b", PRIVILEGED, namespace="team")]
    result = audit(connection, DEFAULT)
    assert {each[0] for each in rows(result)} == {"Pod/b"}
    assert result.exempt == 1
    only = Policy("only", {**DEFAULT.spec, "match": {"namespaces": ["other"]}})
    assert rows(audit(connection, only)) == []


def test_one_namespace_only(connection, api):
    api.serve("serving.kserve.io", "v1alpha1", "clusterservingruntimes", "ClusterServingRuntime", namespaced=False)
    api.lists[PODS] += [pod("a", PRIVILEGED, namespace="one"), pod("b", PRIVILEGED, namespace="two")]
    result = audit(connection, DEFAULT, namespace="two")
    assert {each[0] for each in rows(result)} == {"Pod/b"}
    assert not [path for path, _ in api.requests if "clusterservingruntimes" in path]


def test_only_what_was_created_since(connection, api):
    api.lists[PODS] += [
        pod("old", PRIVILEGED, creationTimestamp="2026-10-31T23:59:59Z"),
        pod("new", PRIVILEGED, creationTimestamp="2026-11-01T00:00:00Z"),
        pod("timeless", PRIVILEGED, creationTimestamp=None),
    ]
    assert {each[0] for each in rows(audit(connection, DEFAULT, since="2026-11-01T00:00:00Z"))} == {"Pod/new"}


def test_the_mode_of_the_policy_is_left_aside(connection, api):
    api.lists[PODS].append(pod("p", NAILED, managedFields=managed("nodeName")))
    watched = Policy("watched", {**DEFAULT.spec, "mode": "audit"})
    result = audit(connection, watched)
    assert [each[2] for each in of_rule(result, "GPU203")] == ["deny"]
    assert result.mode == "audit"


def test_a_template_that_its_pods_will_be_repaired_of_is_repaired(connection, api):
    api.lists[DEPLOYMENTS].append(workload("Deployment", "d"))
    assert rows(audit(connection, DEFAULT)) == [("Deployment/d", "GPU201", "repair", 0)]


class TestCustomKinds:
    TEMPLATE: ClassVar = {
        "type": "object",
        "properties": {"spec": {"properties": {"containers": {"items": {"properties": {"image": {}}}}}}},
    }

    def crd(self, kind, schema, group="x.io"):
        version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}
        names = {"kind": kind, "plural": f"{kind.lower()}s"}
        return {
            "metadata": {"name": f"{kind.lower()}s.{group}"},
            "spec": {"group": group, "names": names, "versions": [version]},
        }

    def serve(self, api, kind, schema, group="x.io"):
        api.lists[CRDS].append(self.crd(kind, schema, group))
        return api.serve(group, "v1", f"{kind.lower()}s", kind)

    def test_are_found_by_the_shape_of_their_schema(self, connection, api):
        schema = {"properties": {"spec": {"properties": {"template": self.TEMPLATE}}}}
        trains = self.serve(api, "Train", schema)
        self.serve(api, "Endpoint", {"properties": {"spec": {"properties": {"port": {"type": "integer"}}}}})
        trains.append(
            {
                "apiVersion": "x.io/v1",
                "kind": "Train",
                "metadata": metadata("t"),
                "spec": {"template": {"spec": spec("500m")}},
            }
        )
        result = audit(connection, DEFAULT)
        assert of_rule(result, "GPU003") == [("Train/t", "GPU003", "deny", 0)]
        assert [row.registered for row in result.rows()] == [False]
        assert not [path for path, _ in api.requests if "endpoints" in path]

    def test_of_the_table_are_registered(self, connection, api):
        jobs = api.serve("kubeflow.org", "v1", "pytorchjobs", "PyTorchJob")
        replicas = {"Worker": {"template": {"spec": spec("500m")}}}
        jobs.append(
            {
                "apiVersion": "kubeflow.org/v1",
                "kind": "PyTorchJob",
                "metadata": metadata("j"),
                "spec": {"pytorchReplicaSpecs": replicas},
            }
        )
        result = audit(connection, DEFAULT)
        assert of_rule(result, "GPU003") == [("PyTorchJob/j", "GPU003", "deny", 0)]
        assert result.rows()[0].registered

    def test_of_the_policy_are_listed_in_its_version(self, connection, api):
        self.serve(api, "Train", {"properties": {"spec": {"type": "object"}}})
        entry = {"apiVersion": "x.io/v1beta1", "kind": "Train", "podSpecs": ["/spec/odd/place"]}
        api.lists["/apis/x.io/v1beta1/trains"] = [
            {
                "apiVersion": "x.io/v1beta1",
                "kind": "Train",
                "metadata": metadata("t"),
                "spec": {"odd": {"place": spec("500m")}},
            }
        ]
        result = audit(connection, Policy("own", {**DEFAULT.spec, "workloads": [entry]}))
        assert of_rule(result, "GPU003") == [("Train/t", "GPU003", "deny", 0)]

    def test_that_may_not_be_read_are_said_to_be_left_out(self, connection, api):
        api.always = [lambda path, _: status(403, "forbidden") if path == CRDS else None]
        api.lists[PODS].append(pod("p", PRIVILEGED))
        result = audit(connection, DEFAULT)
        assert "custom kinds that are not in the table" in result.notices[0].message
        assert result.errors == []
        assert rows(result)

    def test_hostile_definitions(self, connection, api):
        deep = current = {}
        for _ in range(900):
            current["properties"] = {"x": {}}
            current = current["properties"]["x"]
        api.lists[CRDS] += [
            self.crd("Deep", deep),
            self.crd("Odd", [1]),
            {"metadata": {"name": "none.x.io"}},
            {"metadata": {"name": "odd.x.io"}, "spec": {"group": "x.io", "names": {"kind": "Z"}, "versions": {"a": 1}}},
        ]
        assert rows(audit(connection, DEFAULT)) == []


class TestFaults:
    @pytest.fixture(autouse=True)
    def _objects(self, api):
        deployed(api, "trainer", PRIVILEGED, pods=1200)

    EXPECTED: ClassVar = [
        ("Deployment/trainer", "GPU201", "repair", 1200),
        ("Deployment/trainer", "GPU303", "warn", 1200),
    ]

    def test_pages(self, connection, api):
        assert rows(audit(connection, DEFAULT)) == self.EXPECTED
        assert len([path for path, _ in api.requests if path == PODS]) > 1

    @pytest.mark.parametrize(
        "answer",
        [
            CUT,
            status(429)._replace(headers={"Retry-After": "1"}),
            status(410, "too old resource version"),
            status(500, "boom"),
            status(503),
            status(504),
            Reply(200, b'{"items": [{"metadata'),
        ],
    )
    @pytest.mark.parametrize("page", [0, 1])
    def test_that_pass_lose_nothing_and_count_nothing_twice(self, connection, api, answer, page):
        seen = []

        def fault(path, query):
            seen.append(path)
            return answer if path == PODS and seen.count(PODS) == page + 1 else None

        api.faults = [fault]
        result = audit(connection, DEFAULT)
        assert rows(result) == self.EXPECTED
        assert (result.errors, result.pods) == ([], 1200)

    @pytest.mark.parametrize("code", [403, 500])
    def test_of_one_kind_are_named_once_and_the_rest_is_judged(self, connection, api, code):
        api.always = [lambda path, _: status(code, "boom") if path == DEPLOYMENTS else None]
        result = audit(connection, DEFAULT)
        assert [problem.subject for problem in result.errors] == ["deployments.apps"]
        # The owner cannot be read but is known by the references to it, and its sets are judged in its place.
        assert ("Deployment/trainer", "GPU303", "warn", 1200) in rows(result)
        assert result.pods == 1200

    def test_a_kind_that_vanishes_is_no_error(self, connection, api):
        api.serve("ray.io", "v1", "rayclusters", "RayCluster")
        api.always = [lambda path, _: status(404) if "rayclusters" in path else None]
        result = audit(connection, DEFAULT)
        assert result.errors == []
        assert "rayclusters.ray.io: no longer served" in result.notices[0].message
        assert rows(result) == self.EXPECTED

    def test_a_token_that_expires_meanwhile_ends_the_audit_with_what_was_found(self, connection, api):
        api.always = [lambda path, _: status(401) if path == PODS else None]
        result = audit(connection, DEFAULT)
        assert [problem.subject for problem in result.errors] == ["pods"]
        assert "credentials are not accepted" in result.errors[0].message
        assert [each[3] for each in rows(result)] == [0, 0]

    @pytest.mark.parametrize(("code", "error"), [(401, CredentialsError), (403, ForbiddenError), (500, ServerError)])
    def test_an_api_that_answers_nothing_at_all_is_an_error(self, connection, api, code, error):
        api.always = [lambda *_: status(code)]
        with pytest.raises(error):
            audit(connection, DEFAULT)

    def test_objects_that_cannot_be_read_are_counted_and_passed_over(self, connection, api):
        broken = copy.deepcopy(api.lists[PODS][0])
        broken["metadata"] |= {"name": "zz-broken", "labels": ["no", "mapping"]}
        api.lists[PODS].append(broken)
        result = audit(connection, DEFAULT)
        assert rows(result) == self.EXPECTED
        assert ["cannot be read" in problem.message for problem in result.errors] == [True]


def test_progress_is_told_page_by_page(connection, api):
    deployed(api, "trainer", PRIVILEGED, pods=1200)
    told = []
    audit(connection, DEFAULT, progress=lambda what, result, remaining: told.append((what, result.count, remaining)))
    assert told[0] == ("deployments.apps", 2, 0)  # the first finding after the first of many pages
    assert ("pods", 2, 700) in told


def test_claims_are_judged_and_those_that_a_template_makes_are_not(connection, api):
    """As the webhook judges them: a class that nearly is known; a claim made for a pod is the template's business."""
    api.serve("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")
    api.serve("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate")

    def made(kind, name, device_class, owner=None):
        request = {"name": "gpu", "exactly": {"deviceClassName": device_class}}
        inner = {"devices": {"requests": [request]}}
        body = {"spec": inner} if kind == "ResourceClaimTemplate" else inner
        return {"apiVersion": "resource.k8s.io/v1", "kind": kind, "metadata": metadata(name, owner=owner), "spec": body}

    user = pod("p", spec())
    api.lists[PODS].append(user)
    paths = "/apis/resource.k8s.io/v1/resourceclaim"
    api.lists[f"{paths}templates"] += [
        made("ResourceClaimTemplate", "near", "nvidia.gpu.com"),
        made("ResourceClaimTemplate", "right", "gpu.nvidia.com"),
    ]
    api.lists[f"{paths}s"] += [
        made("ResourceClaim", "own", "nvidia.gpu.com"),
        made("ResourceClaim", "p-gpu-x", "nvidia.gpu.com", owner=user),
    ]
    assert [each[:3] for each in of_rule(audit(connection, DEFAULT), "GPU409")] == [
        ("ResourceClaim/own", "GPU409", "warn"),
        ("ResourceClaimTemplate/near", "GPU409", "warn"),
    ]
