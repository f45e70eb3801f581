"""Manifests of device plugins and their kin: known by namespace, or by owner and images where they name none."""

import pytest

from gpu_admission.backends import components

DAEMON = """\
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: plugin{namespace}
spec:
  selector: {{matchLabels: {{app: plugin}}}}
  template:
    metadata: {{labels: {{app: plugin}}}}
    spec:
      tolerations: [{{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}}]
      containers:
        - name: plugin
          image: {image}
          securityContext: {{privileged: true}}
          env: [{{name: NVIDIA_VISIBLE_DEVICES, value: all}}]
          volumeMounts: [{{name: dev, mountPath: /dev/nvidia0}}]
{more}      volumes:
        - {{name: dev, hostPath: {{path: /dev/nvidia0}}}}
"""
PLUGIN = "nvcr.io/nvidia/k8s-device-plugin:v0.17.0"
SECOND = """\
        - name: second
          image: {image}
"""
MISTAKE = "          resources: {requests: {nvidia.com/gpu: 1}}\n"
OWNED = """\
apiVersion: v1
kind: Pod
metadata:
  name: plugin-x
  ownerReferences: [{{apiVersion: apps/v1, kind: {owner}, name: plugin, uid: u}}]
spec:
  containers:
    - name: plugin
      image: {image}
      env: [{{name: NVIDIA_VISIBLE_DEVICES, value: all}}]
"""


def found(lint, text, *options):
    lint.write("a.yaml", text)
    return sorted(set(lint.json("a.yaml", *options).rules))


def daemon(image=PLUGIN, namespace="", more=""):
    return DAEMON.format(image=image, namespace=f"\n  namespace: {namespace}" if namespace else "", more=more)


@pytest.mark.parametrize(
    "image",
    [
        PLUGIN,
        "nvidia/k8s-device-plugin:1.11",
        "docker.io/rocm/k8s-device-plugin",
        "registry.k8s.io/dra-driver-nvidia/dra-driver-nvidia-gpu:v0.5.0",
        "nvcr.io/nvidia/cloud-native/gpu-operator-validator:v1@sha256:aa",
        "projecthami/hami:v2.9.0",
        "nvcr.io/nvidia/k8s/dcgm-exporter:4",
    ],
)
def test_a_plugins_manifest_without_a_namespace_is_known(lint, image):
    assert found(lint, daemon(image), "--min-severity", "info") == []


@pytest.mark.parametrize(
    "image",
    [
        "example.com/train:1",
        "example.com/nvidia/k8s-device-plugin:v0.17.0",
        "nvcr.io/nvidia/k8s-device-plugin-of-mine:1",
        "nvcr.io/nvidia/pytorch:25.01",
        "nvcr.io/nvidia/cloud-nativeX/a",
        '""',
    ],
)
def test_other_images_are_not(lint, image):
    assert {"GPU301", "GPU304"} <= set(found(lint, daemon(image)))


def test_every_container_has_to_be_the_components(lint):
    assert "GPU301" in found(lint, daemon(more=SECOND.format(image="example.com/mine:1")))
    assert found(lint, daemon(more=SECOND.format(image="nvcr.io/nvidia/k8s-device-plugin:v1"))) == []


@pytest.mark.parametrize(
    ("image", "namespace", "known"),
    [
        (PLUGIN, "gpu-resources", True),
        (PLUGIN, "research", False),
        (PLUGIN, "monitoring", False),
        ("nvcr.io/nvidia/k8s/dcgm-exporter:4", "monitoring", True),
        ("nvcr.io/nvidia/k8s/dcgm-exporter:4", "research", False),
    ],
)
def test_a_namespace_that_is_named_has_to_be_the_components(lint, image, namespace, known):
    assert ("GPU301" not in found(lint, daemon(image, namespace))) is known


@pytest.mark.parametrize(
    "namespace", ['"FILLED BY THE OPERATOR"', '"{{ .Release.Namespace }}"', "${NAMESPACE}", "Gpu_Operator", "system"]
)
def test_a_namespace_that_cannot_be_is_yet_to_be_filled_in(lint, namespace):
    assert found(lint, daemon(PLUGIN, namespace)) == []
    assert "GPU301" in found(lint, daemon("example.com/mine:1", namespace))


UNFILLED = '"FILLED BY THE OPERATOR"'


def operand(account="nvidia-device-plugin", namespace=UNFILLED, image=UNFILLED, more=""):
    return daemon(image, namespace, more).replace(
        "      containers:", f"      serviceAccountName: {account}\n      containers:"
    )


@pytest.mark.parametrize("account", components.OF_VENDOR["nvidia"][0].operands)
def test_the_template_of_an_operator_is_known_by_its_account(lint, account):
    assert found(lint, operand(account), "--min-severity", "info") == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("another account", operand("default")),
        ("no account", daemon(UNFILLED, UNFILLED)),
        ("a namespace that can be", operand(namespace="research")),
        ("no namespace", operand(namespace="")),
        ("kustomize's namespace", operand(namespace="system")),
        ("an image of somebody else's beside", operand(more=SECOND.format(image="example.com/mine:1"))),
        ("another kind", operand().replace("DaemonSet", "Deployment")),
    ],
)
def test_other_templates_are_judged(lint, what, text):
    assert "GPU301" in found(lint, text), what


def test_a_template_may_name_images_of_its_own(lint):
    assert found(lint, operand(more=SECOND.format(image="nvcr.io/nvidia/cloud-native/k8s-mig-manager:v1"))) == []


def test_mistakes_in_a_request_are_found_all_the_same(lint):
    assert found(lint, daemon(more=SECOND.format(image=PLUGIN) + MISTAKE)) == ["GPU001"]


@pytest.mark.parametrize(("owner", "known"), [("DaemonSet", True), ("ReplicaSet", False)])
def test_a_pod_that_a_daemonset_owns(lint, owner, known):
    assert ("GPU301" not in found(lint, OWNED.format(owner=owner, image=PLUGIN))) is known


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_other_kinds_are_judged(lint, kind):
    assert "GPU301" in found(lint, daemon().replace("DaemonSet", kind))


def test_the_fix_leaves_it_alone_too(lint):
    text = daemon().replace("      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]\n", "")
    lint.write("a.yaml", text)
    lint("a.yaml", "--fix", "--unsafe-fixes")
    assert lint.read("a.yaml") == text


def test_objects_of_one_list_are_told_apart(lint):
    items = [daemon(), daemon("example.com/train:1").replace("name: plugin\n", "name: other\n", 1)]
    body = "".join("  - " + item.replace("\n", "\n    ").rstrip(" ") for item in items)
    lint.write("a.yaml", f"apiVersion: v1\nkind: List\nitems:\n{body}")
    result = lint.json("a.yaml").json
    assert {finding["object"]["name"] for finding in result["findings"]} == {"other"}


@pytest.mark.parametrize("owners", ["1", "[1]", "{a: b}", "[{kind: 1}]", "[{kind: [DaemonSet]}]", "null"])
def test_hostile_owners(lint, owners):
    text = OWNED.format(owner="x", image=PLUGIN)
    line = next(line for line in text.splitlines() if "ownerReferences" in line)
    assert "GPU301" in found(lint, text.replace(line, f"  ownerReferences: {owners}"))
