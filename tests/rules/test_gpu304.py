"""GPU304: which host paths lead to GPUs, however they are spelled."""

import pytest

from gpu_admission.rules import hostpaths, markers
from rules.table import Found, Row, container, pod, template, verify

PLACE = "/spec/volumes/0/hostPath/path"


def mounting(path, gpu=None):
    return pod(container(gpu=gpu), volumes=[{"name": "dev", "hostPath": {"path": path}}])


def row(path, severity=None, gpu=None, words=()):
    found = (Found(PLACE, severity, ('volume "dev"', *words)),) if severity else ()
    return Row(f"{path!r}{' with a GPU' if gpu else ''}", mounting(path, gpu), found)


ROWS = [
    *(
        row(path, "error", words=(f'"{path}"', "remove the volume"))
        for path in (
            "/dev/nvidia0",
            "/dev/nvidia-uvm",
            "/dev/nvidiactl",
            "/dev/nvidia-caps/nvidia-cap1",
            "/dev/dri",
            "/dev/dri/renderD128",
            "/dev/kfd",
            "/dev/dxg",
            "/dev/accel0",
            "/dev/accel/accel3",
            "/dev/neuron0",
            "/dev/davinci_manager",
            "/proc/driver/nvidia",
            "/proc/driver/nvidia/gpus",
            "/etc/cdi",
            "/etc/cdi/nvidia.yaml",
            "/var/run/cdi",
            "/run/cdi",
            "/tmp/nvidia-mps",
            "/run/nvidia/mps/shm",
            "/dev//nvidia0",
            "/dev/./nvidia0",
            "/dev/nvidia0/",
            "/dev/shm/../nvidia0",
            "/../dev/nvidia0",
            "//dev/kfd",
            "/var/./run//cdi/",
            "/proc/1/root/dev/nvidia0",
            "/proc/self/root/proc/1/root/dev/nvidia0",
        )
    ),
    *(
        row(path, "info")
        for path in (
            "/",
            "//",
            "/proc/1/root",
            "/proc/self/cwd/",
            "/dev",
            "/dev/",
            "/proc",
            "/proc/driver",
            "/etc",
            "/tmp",
            "/run",
            "/var/run",
            "/var",
            "/var/lib",
            "/var/lib/kubelet",
            "/run/nvidia",
            "/run/containerd",
            "/run/containerd/containerd.sock",
            "/var/run/docker.sock",
            "/run/crio/crio.sock",
            "/var/lib/kubelet/device-plugins",
            "/var/lib/kubelet/device-plugins/kubelet.sock",
            "/var/lib/kubelet/pod-resources",
        )
    ),
    *(
        row(path, "error", gpu=1)
        for path in ("/", "/dev", "/dev/nvidia0", "/var/run/docker.sock", "/var/lib/kubelet/pod-resources")
    ),
    *(
        row(path, gpu=1)
        for path in (
            "/dev/shm",
            "/dev/infiniband",
            "/dev/hugepages",
            "/dev/fuse",
            "/dev/net/tun",
            "/dev/log",
            "/dev/drift",
            "/dev/kfd2",
            "/proc/sys",
            "/proc/1",
            "/etc/cdi.d",
            "/etc/localtime",
            "/tmp/data",
            "/tmp/nvidia-mps-logs",
            "/var/lib/kubelet/pods",
            "/var/runner",
            "/run/user",
            "/home/kubernetes/bin/nvidia",
            "/usr/local/nvidia",
            "/sys",
            "/data",
            "/mnt/dev/nvidia0",
            "dev/nvidia0",
            "",
            None,
            7,
        )
    ),
    Row(
        "a share by annotation counts as a GPU",
        {**mounting("/dev"), "metadata": {"annotations": {"gpu-memory": "1"}}},
        (Found(PLACE, "error", ()),),
    ),
    Row(
        "a template, the third volume, without a name",
        template("DaemonSet", container(), volumes=[None, {"emptyDir": {}}, {"hostPath": {"path": "/dev/dri"}}]),
        (Found("/spec/template/spec/volumes/2/hostPath/path", "error", ("/dev/dri",)),),
    ),
    *(
        Row(f"shapes: {volumes}", {**pod(container()), "spec": {"volumes": volumes}})
        for volumes in (3, "/dev", {"hostPath": {"path": "/dev/kfd"}}, [{"hostPath": "/dev/kfd"}])
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_device_host_path(row):
    verify("GPU304", row)


@pytest.mark.parametrize("path", [*markers.DEVICE_PATHS, *markers.SOCKET_PATHS])
def test_the_tables_are_written_as_paths_are_compared(path):
    assert hostpaths.normal(path) == path
