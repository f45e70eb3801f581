"""GPU305: mounts that are read as a list of cards."""

import pytest

from rules.table import Found, Row, container, pod, template, verify


def mounted(*paths, gpu=None):
    return pod(container(gpu=gpu, volumeMounts=[{"name": "v", "mountPath": path} for path in paths]))


def listed(index=0):
    return Found(
        f"/spec/containers/0/volumeMounts/{index}/mountPath",
        "error",
        ('container "train"', "nvidia-container-devices", "remove the mount"),
    )


ROWS = [
    *(
        Row(path, mounted(path), (listed(),))
        for path in (
            "/var/run/nvidia-container-devices",
            "/var/run/nvidia-container-devices/all",
            "/run/nvidia-container-devices/GPU-1",
            "/var/run/../run/nvidia-container-devices/0",
            "//var//run/./nvidia-container-devices/imex/channel0",
        )
    ),
    Row("with a GPU too", mounted("/run/nvidia-container-devices/0", gpu=1), (listed(),)),
    Row("the second", mounted("/data", "/var/run/nvidia-container-devices/0"), (listed(1),)),
    Row(
        "an ephemeral container of a template",
        template(
            "Deployment",
            container(),
            ephemeralContainers=[container("d", volumeMounts=[{"mountPath": "/run/nvidia-container-devices/x"}])],
        ),
        (Found("/spec/template/spec/ephemeralContainers/0/volumeMounts/0/mountPath", "error", ('"d"',)),),
    ),
    *(
        Row(f"{path!r} is nothing", mounted(path))
        for path in (
            "/var/run",
            "/run",
            "/",
            "/data",
            "/run/nvidia-container-devices2",
            "run/nvidia-container-devices",
            "",
            None,
            5,
        )
    ),
    *(
        Row(f"shapes: {mounts}", pod(container(volumeMounts=mounts)))
        for mounts in ("x", 1, {"mountPath": "/run/nvidia-container-devices"}, [None, "x"])
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_device_list_mount(row):
    verify("GPU305", row)
