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
        for key in ("cdi.k8s.io", "cdi.kubevirt.io/x", "notcdi.k8s.io/x", "cdi.k8s.io.evil/x", "", "/")
    ),
    *(Row(f"shapes: {said}", annotated(said)) for said in ("cdi.k8s.io/x", [KEY], 3, {1: 2, None: 3})),
    Row("labels are no annotations", pod(container(), labels=ALL)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_cdi_annotation(row):
    verify("GPU306", row)
