"""GPU306: CDI annotations, wherever a kind keeps those of its pods."""

import pytest

from rules.table import Found, Row, container, pod, template, verify

KEY = "cdi.k8s.io/gpus"
ALL = {KEY: "nvidia.com/gpu=all"}


def annotated(annotations):
    return pod(container(), annotations=annotations)


def injects(key=KEY, holder=""):
    return (
        Found(
            f"{holder}/metadata/annotations/{key.replace('/', '~1')}",
            "error",
            (f'"{key}"', "inject", "remove the annotation"),
        ),
    )


NODES = {
    "devices.gke.io/container.x": "".join(f"- path: /dev/nvidia{n}\n" for n in range(8)) + "- path: /dev/nvidiactl\n"
}
DEPLOYMENT = template("Deployment", container())
KSERVE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"annotations": ALL},
    "spec": {"predictor": {"containers": [container()]}, "transformer": {"containers": [container()]}},
}
ARGO = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "w"},
    "spec": {"templates": [{"name": "a", "metadata": {"annotations": ALL}, "container": {"image": "a"}}]},
}

ROWS = [
    Row("a pod", annotated(ALL), injects()),
    *(
        Row(key, annotated({key: "x=y"}), injects(key))
        for key in ("nvidia.cdi.k8s.io/container.a", "vendor.cdi.k8s.io/x", "cdi.k8s.io/")
    ),
    *(
        Row(f"{key}: {value!r}"[:60], annotated({key: value}), injects(key))
        for key, value in (
            ("cdi-devices.noderesource.dev/container.a", "- nvidia.com/gpu=all"),
            ("cdi-devices.nri.io", "- nvidia.com/gpu=0"),
            ("devices.noderesource.dev/pod", "- path: /dev/nvidia0\n  type: c\n  major: 195\n  minor: 0"),
            ("devices.noderesource.dev", '[{"path":"/dev/nvidia3"}]'),
            ("devices.nri.io/container.a", "- path: /dev//./nvidia11\n"),
            ("devices.nri.io/container.a", "- {path: '/dev/dri/renderD128', type: c}"),
            ("devices.gke.io/container.a", "- path: /dev/kfd"),
            ("devices.gke.io/container.a", "- path: /dev/null2\n  type: c\n  major: 195\n  minor: 0"),
            ("devices.gke.io/container.a", "- path: /dev/nvidiactl\n- {path: /dev/x, major: 195}"),
            ("devices.gke.io/container.a", "- {path: /dev/x, major: 226, minor: 128}"),
            *(
                ("devices.gke.io/pod", f"- {{path: /dev/x, major: {n}}}")
                for n in ("0xc3", "0303", "1_95", "195.0", "&a 195")
            ),
            ("devices.nri.io/pod", '- path: "\\x2fdev\\x2fnvidia0"'),
            ("devices.nri.io/pod", '- path: "/dev/nvi\\\n  dia0"'),
            ("devices.nri.io/pod", "- path: !!binary L2Rldi9udmlkaWEw"),
            ("devices.nri.io/pod", "- path: dev/nvidia0"),
            ("devices.nri.io/pod", "- path: /proc/1/root/dev/dri/card0"),
            ("devices.nri.io/pod", "- path: /dev/vfio/12"),
            ("io.kubernetes.cri-o.Devices", "/dev/fuse,/dev/nvidia0:/dev/fuse2:rwm"),
            ("devices.crio.io", "/dev/nvidia0"),
            ("devices.crio.io/a", "/dev/kfd:/dev/kfd:r"),
        )
    ),
    Row(
        "of a pod that requests one card",
        pod(container(gpu=1), annotations=NODES),
        injects("devices.gke.io/container.x"),
    ),
    Row("of a pod that requests all cards of a node", pod(container(gpu=8), annotations=NODES)),
    Row(
        "of a pod that requests half a node",
        pod(container(gpu=8), annotations=NODES),
        injects("devices.gke.io/container.x"),
        {"cluster": {"cards": [{"model": "A100-80", "perNode": 16}]}},
    ),
    *(
        Row(f"no cards: {value!r}"[:60], annotated({"devices.noderesource.dev/pod": value}))
        for value in (
            "- path: /dev/fuse",
            "- path: /dev/nvidiactl\n- path: /dev/nvidia-uvm",
            "- path: /dev/nvidiactl\n  type: c\n  major: 195\n  minor: 255\n  file_mode: 0666",
            '[{"path": "/dev/infiniband/uverbs0", "type": "c", "major": 231, "minor": 192}]',
            "",
            "x",
        )
    ),
    *(
        Row(f"no cards: {key}: {value}", annotated({key: value}))
        for key, value in (
            ("io.kubernetes.cri-o.Devices", "/dev/fuse"),
            ("devices.crio.io", "/dev/net/tun:/dev/tun:rwm"),
        )
    ),
    Row(
        "a template",
        {**DEPLOYMENT, "spec": {"template": {**DEPLOYMENT["spec"]["template"], "metadata": {"annotations": ALL}}}},
        injects(holder="/spec/template"),
    ),
    Row("KServe hands its own down, once", KSERVE, injects()),
    Row("Argo has them in its templates", ARGO, injects(holder="/spec/templates/0")),
    Row("a Deployment's own do not reach its pods", {**DEPLOYMENT, "metadata": {"annotations": ALL}}),
    *(
        Row(f"{key} is something else", annotated({key: "x"}))
        for key in (
            "cdi.k8s.io",
            "cdi.kubevirt.io/x",
            "devices.nri.io.evil/x",
            "my-devices.nri.io/x",
            "notcdi.k8s.io/x",
            "cdi.k8s.io.evil/x",
            "",
            "/",
        )
    ),
    *(Row(f"shapes: {said}", annotated(said)) for said in ("cdi.k8s.io/x", [KEY], 3, {1: 2, None: 3})),
    Row("labels are no annotations", pod(container(), labels=ALL)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_cdi_annotation(row):
    verify("GPU306", row)
