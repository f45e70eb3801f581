"""GPU305: mounts that are read as a list of cards."""

import pytest

from rules.table import Found, Row, container, pod, template, verify


def mounted(*paths, gpu=None, source=None, name="v", **mount):
    mounts = [{"name": name, "mountPath": path, **mount} for path in paths]
    volume = {"name": "v", **(source if source is not None else {"hostPath": {"path": "/dev/null"}})}
    return pod(container(gpu=gpu, volumeMounts=mounts), volumes=[volume])


def listed(index=0, *words):
    return Found(
        f"/spec/containers/0/volumeMounts/{index}/mountPath",
        "error",
        ('container "train"', "nvidia-container-devices", "/dev/null", "remove the mount", *words),
    )


LIST = "/var/run/nvidia-container-devices"
ROWS = [
    *(
        Row(path[:60], mounted(path), (listed(),))
        for path in (
            LIST,
            f"{LIST}/all",
            f"{LIST}all",  # compared without a slash
            f"{LIST}-0",
            f"{LIST}.x/../nvidia-container-devicesall",
            "/run/nvidia-container-devices/GPU-1",
            "var/run/nvidia-container-devices/all",  # the kubelet makes it absolute
            "./var/run/nvidia-container-devices/all",
            "/var/run/../run/nvidia-container-devices/0",
            "/var/x/../run/nvidia-container-devices/0",
            "/var/run/a/../nvidia-container-devices/0",
            "/../var/run/nvidia-container-devices/0",
            "//var//run/./nvidia-container-devices/imex/channel0",
            "/proc/1/root/var/run/nvidia-container-devices/0",
            "/proc/self/task/7/cwd/run/nvidia-container-devices/0",
            "/proc/1/root/../../../var/run/nvidia-container-devices/0",
            f"{LIST}/cdi/nvidia.com/gpu/all",
        )
    ),
    *(
        Row(f"from {path!r}", mounted(f"{LIST}/0", source={"hostPath": {"path": path}}), (listed(0, f'"{path}"'),))
        for path in (
            "/dev/null",
            "/dev//null",
            "/proc/1/root/dev/null",
            "/dev/char/1:3",
            "/etc/systemd/system/masked.service",
            "/data",
            "dev/null",
        )
    ),
    *(
        Row(f"from {source}", mounted(f"{LIST}/0", source=source), (listed(0, "a volume"),))
        for source in ({"persistentVolumeClaim": {"claimName": "c"}}, {"csi": {"driver": "d"}}, {"ephemeral": {}}, {})
    ),
    Row("from no volume that is shown", mounted(f"{LIST}/0", name="elsewhere"), (listed(0, "does not show"),)),
    Row("read-only, of a sub-path", mounted(f"{LIST}/0", readOnly=True, subPath="x"), (listed(),)),
    Row("with a GPU too", mounted("/run/nvidia-container-devices/0", gpu=1), (listed(),)),
    Row("the second", mounted("/data", f"{LIST}/0"), (listed(1),)),
    *(
        Row(
            f"{role} of a template",
            template(
                "Deployment",
                container(),
                **{role: [container("d", volumeMounts=[{"name": "n", "mountPath": f"{LIST}all"}])]},
                volumes=[{"name": "n", "hostPath": {"path": "/dev/null", "type": "CharDevice"}}],
            ),
            (Found(f"/spec/template/spec/{role}/0/volumeMounts/0/mountPath", "error", ('"d"',)),),
        )
        for role in ("initContainers", "ephemeralContainers")
    ),
    *(
        Row(f"{source} is never /dev/null", mounted(f"{LIST}/0", source=source))
        for source in (
            {"emptyDir": {}},
            {"configMap": {"name": "c"}},
            {"secret": {"secretName": "s"}},
            {"projected": {}},
            {"downwardAPI": {}},
            {"image": {"reference": "r"}},
        )
    ),
    *(
        Row(f"{path!r} is nothing", mounted(path))
        for path in (
            "/var/run",
            "/run",
            "/",
            "/data",
            "/opt/nvidia-container-devices/0",
            "/data/var/run/nvidia-container-devices/0",
            "/var/run/nvidia-container-device",
            "/run/x/nvidia-container-devices",
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
