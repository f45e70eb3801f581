"""The exemptions of the shipped policies: only the components of their own backend and vendors."""

import json
from pathlib import Path

import pytest

from gpu_admission.backends import components, registry
from gpu_admission.commands import docs, exempted
from gpu_admission.docpages import exempted_components
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider
from gpu_admission.workloads import resources

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

ROOT = Path(__file__).resolve().parent.parent.parent

# Namespaces as the projects' own installations name them, written here a second time on purpose.
OF_VENDORS = {
    "nvidia": {
        "gpu-operator", "nvidia-gpu-operator", "nvidia-device-plugin", "gpu-resources", "gpu-feature-discovery",
        "node-feature-discovery", "dra-driver-nvidia-gpu", "nvidia-dra-driver-gpu", "gmp-public",
    },
    "amd": {"kube-amd-gpu", "amd-gpu-operator"},
    "intel": {"inteldeviceplugins-system", "intel-gpu-plugin", "habana-system"},
    "aws": {"neuron-dra-driver"},
    "biren": {"biren-gpu"},
}  # fmt: skip
OF_BACKENDS = {
    "kai": {"kai-scheduler", "kai-resource-isolator", "runai", "runai-backend"},
    "hami": {"hami-system", "hami-dra-driver"},
    "volcano": {"volcano-system"},
    "volcano-vgpu": {"volcano-system"},
    "koordinator": {"koordinator-system"},
}
EVERYWHERE = {"kube-system", "gpu-admission"}
EVERY_NAME = set().union(*OF_VENDORS.values(), *OF_BACKENDS.values())
BY_CONTROLLER = "system:serviceaccount:kube-system:daemon-set-controller"


def plugin(name="plugin", image="example.com/driver:1"):
    """A pod of device plugins and DRA drivers, which only exempt users may create."""
    container = {
        "name": name, "image": image, "securityContext": {"privileged": True},
        "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}, {"name": "NVIDIA_MIG_CONFIG_DEVICES", "value": "all"}],
        "volumeMounts": [{"name": "cdi", "mountPath": "/var/run/cdi"}],
    }  # fmt: skip
    volumes = [{"name": "cdi", "hostPath": {"path": "/var/run/cdi"}}]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [container], "volumes": volumes},
    }  # fmt: skip


def allowed(policy, namespace, user=BY_CONTROLLER, endpoint="validate", obj=None):
    request = {
        "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": namespace,
        "userInfo": {"username": user}, "object": obj or plugin(),
    }  # fmt: skip
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
    response = json.loads(Decider(lambda _: policy)(body, endpoint).body)["response"]
    assert "patch" not in response or not response["allowed"]
    return response["allowed"]


def wanted(name):
    """The namespaces that a shipped policy exempts."""
    backend = loader.load(name).backend.name
    vendors = OF_VENDORS if backend in {"exclusive", "any"} else ["nvidia"]
    own = set().union(*OF_BACKENDS.values()) if backend == "any" else OF_BACKENDS.get(backend, set())
    return EVERYWHERE | own | set().union(*(OF_VENDORS[vendor] for vendor in vendors))


@pytest.mark.parametrize("name", loader.shipped())
def test_a_policy_exempts_what_its_own_backend_and_vendors_run(name):
    policy = loader.load(name)
    if exempted_components.BEGIN not in loader.source(name):
        assert not policy.exempt.users, "a list kept by hand"
        assert not policy.exempt.namespaces
        return
    assert set(policy.exempt.namespaces.patterns) == wanted(name)
    for namespace in sorted(EVERY_NAME):
        assert allowed(policy, namespace) is (namespace in wanted(name)), namespace
    for namespace in ("default", "dra-driver-nvidia-gpu-2", "x-gpu-operator", "monitoring"):
        assert not allowed(policy, namespace)


def test_the_newest_dra_driver_starts_under_every_policy():
    for name in loader.shipped():
        if exempted_components.BEGIN in loader.source(name):
            assert allowed(loader.load(name), "dra-driver-nvidia-gpu"), name
            assert allowed(loader.load(name), "dra-driver-nvidia-gpu", endpoint="mutate"), name


def test_an_image_proves_nothing_at_admission():
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "plugin", "uid": "u", "controller": True}
    for part in components.every(registry.ALL):
        for image in part.images:
            obj = plugin(image=image.replace("*", "x"))
            obj["metadata"]["ownerReferences"] = [owner]
            assert not allowed(loader.load("default"), "research", obj=obj), image


def test_no_controller_that_creates_pods_of_users_is_exempt():
    for backend in registry.ALL:
        for user in components.exemptions(backend)[1]:
            assert not user.endswith(("-controller", "-controllers", ":default", ":podgrouper", "koord-manager")), user
            assert "*" not in user


def test_what_creates_its_own_pods_elsewhere_is_exempt_by_its_account_alone():
    policy = loader.load("kai")
    for namespace, account in (("kai-resource-reservation", "binder"), ("kai-scale-adjust", "node-scale-adjuster")):
        assert allowed(policy, namespace, f"system:serviceaccount:kai-scheduler:{account}")
        assert not allowed(policy, namespace)


def test_every_component_says_where_its_facts_are_from():
    vendors = {resources.classify(name).vendor for name in resources.known_names()}
    assert set(components.OF_VENDOR) <= vendors
    for part in components.every(registry.ALL):
        assert ":" in part.source or part.source.startswith("https://")
        assert part.namespaces or part.accounts
        assert not set(part.elsewhere) & set(part.namespaces)
        for image in part.images:
            assert components.repository(image) == image, "an image is named with its registry"


def test_the_block_is_written_between_its_comments_and_nowhere_else():
    backend = registry.named("hami")
    text = f"a: b\n{exempted_components.BEGIN}stale\n{exempted_components.END}c: d\n"
    new = exempted_components.written(text, backend)
    assert new.startswith("a: b\n")
    assert new.endswith("c: d\n")
    assert "stale" not in new
    assert exempted_components.written(new, backend) == new
    assert exempted_components.written("a: b\n", backend) == "a: b\n"
    for broken in (
        exempted_components.BEGIN,
        exempted_components.END,
        exempted_components.BEGIN * 2 + exempted_components.END,
    ):
        with pytest.raises(ValueError, match="between two comments"):
            exempted_components.written(broken, backend)


def test_a_stale_list_is_found_and_what_follows_from_it(monkeypatch):
    """The list of default goes into deploy/ at once: make docs need not be run twice."""
    assert {"policies/hami.yaml", "policies/default.yaml"} <= set(exempted.FILES)
    part = components.Component("new", source="a: b", namespaces=("brand-new",))
    monkeypatch.setitem(components.OF_VENDOR, "nvidia", (*components.OF_VENDOR["nvidia"], part))
    stale = docs.stale(str(ROOT))
    assert "policies/hami.yaml" in stale
    for path in ("policies/default.yaml", "policies/dra.yaml", "deploy/base/policy.yaml", "deploy/base/webhooks.yaml"):
        assert "brand-new" in docs.GENERATED[path](), path


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("rocm/k8s-device-plugin:1.2", "docker.io/rocm/k8s-device-plugin"),
        ("nvcr.io/nvidia/k8s-device-plugin:v0.17.0", "nvcr.io/nvidia/k8s-device-plugin"),
        ("nvcr.io/nvidia/k8s-device-plugin@sha256:aa", "nvcr.io/nvidia/k8s-device-plugin"),
        ("nvcr.io/nvidia/k8s-device-plugin:v1@sha256:aa", "nvcr.io/nvidia/k8s-device-plugin"),
        ("localhost/a/b:1", "localhost/a/b"),
        ("registry:5000/a:1", "registry:5000/a"),
        ("registry:5000/a", "registry:5000/a"),
        ("", "docker.io/library/"),
        (":", "docker.io/library/"),
        ("@", "docker.io/library/"),
        ("/", "docker.io//"),
    ],
)
def test_repositories(image, repository):
    assert components.repository(image) == repository
