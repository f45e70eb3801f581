"""GPU304: which host paths lead to GPUs, however they are spelled."""

import pytest

from gpu_admission.policyfile import loader
from rules.host_volumes import PLACE, mounting, sub
from rules.table import Found, Row, container, judge, pod, template, verify


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
            "/proc/1/task/1/root/dev/nvidia0",
            "/proc/4711/root/dev/kfd",
            "/proc/thread-self/cwd/dev/dri",
            "/proc/1/root/proc/self/task/77/cwd/etc/cdi",
            "/proc//self/./root//dev/nvidia0",
            "/proc/1/fd/7",
            "/proc/self/task/12/fd",
            "/proc/2/map_files",
            "/dev/fd/3",
            "/dev/xpu0",
            "/run/nvidia/driver/dev/nvidia0",
            "/var/run/nvidia/driver/dev/nvidiactl",
            "/home/kubernetes/bin/nvidia/dev/nvidia0",
            "/run/nvidia/driver/proc/driver/nvidia",
            "/run/nvidia/driver/proc/1/root/dev/nvidia0",
            "/dev/char",
            "/dev/char/195:0",
            "/dev/char/226:128",
            "/dev/hl0",
            "/dev/mtgpu.0",
            "/dev/nvhost-ctrl-gpu",
            "dev/nvidia0",
            "./dev/nvidia0",
            "var/run/cdi",
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
            "/run/nri/nri.sock",
            "/run/nvidia/driver",
            "/run/nvidia/driver/dev",
            "/proc/1/task/1/root/",
            "/proc/self",
            "/proc/1",
            "/proc/1/task",
            "/proc/thread-self/task/7",
            ".",
            "run",
            "./dev",
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
            "/proc/1/ns",
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
            "/proc/1/task/x/root/dev/nvidia0",
            "/proc/x/root/dev/nvidia0",
            "/proc/1/roots/dev/nvidia0",
            "/proc/1/task/1/task/1/root/dev/nvidia0",
            "/proc/fd",
            "/proc/x",
            "/proc/1/task/x",
            "/proc/1/tasks",
            "/home/kubernetes/bin/nvidia/lib64",
            "/opt/nvidia/device",
            "/dev/chart",
            "data",
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


def sub_row(name, made, key, role="containers", parent="info"):
    volume = (Found(PLACE, parent, ()),) if parent else ()
    place = f"/spec/{role}/0/volumeMounts/0/{key}"
    found = (Found(place, "error", ('volume "v"',)), *volume)
    return Row(name, made, tuple(sorted(found, key=lambda each: each.pointer)))


def no_sub(name, made, parent="info"):
    return Row(name, made, (Found(PLACE, parent, ()),) if parent else ())


def field(name, path):
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


FROM_CONFIG = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
NOTED = field("X", "metadata.annotations['x']")
SUB_PATHS = [
    *(
        sub_row(f"{root} with {path}", sub(root, subPath=path), "subPath", parent=parent)
        for root, path, parent in (
            ("/", "dev/nvidia0", "info"),
            ("/proc/1", "fd", "info"),
            ("/proc/1/task", "7/fd/3", "info"),
            ("/run/nvidia/driver/proc/self/task/1", "map_files", "info"),
            ("/", "proc/1/root/dev/nvidia0", "info"),
            ("//", "./dev//kfd", "info"),
            ("/dev", "nvidia0", "info"),
            ("/dev/", "char/195:0", "info"),
            ("/proc/1/root", "dev/dri", "info"),
            ("/var/run/nvidia", "driver/dev/nvidia0", "info"),
            ("/run/nvidia/driver", "dev/nvidia0", "info"),
            ("/home/kubernetes/bin/nvidia", "dev/nvidia0", None),
            ("/proc", "driver/nvidia", "info"),
            ("/etc", "cdi", "info"),
        )
    ),
    *(
        sub_row(f"in {role}", sub("/", role=role, subPath="dev/nvidia0"), "subPath", role)
        for role in ("initContainers", "ephemeralContainers")
    ),
    sub_row("with a GPU", sub("/", gpu=1, subPath="dev/nvidia0"), "subPath", parent="error"),
    *(
        sub_row(f"{root} and {path} of a driver", sub(root, subPath=path), "subPath", parent=None)
        for root, path in (("/opt", "nvidia/dev/nvidia0"), ("/home/kubernetes", "bin/nvidia/dev/dri"))
    ),
    *(
        sub_row(f"{root} with {path} and {env}", sub(root, subPathExpr=path, origin_env=env), "subPathExpr")
        for root, path, env in (
            ("/dev", "nvidia0", ()),
            (".", "dev/nvidia0", ()),
            ("/var", "run/cdi", ()),
            ("/dev", "$(X)", ({"name": "X", "value": "nvidia0"},)),
            ("/", "d$(A)/nvidia$(B)", ({"name": "A", "value": "ev"}, {"name": "B", "value": "0"})),
            ("/dev", "$(X)", ({"name": "Y", "value": "dri"}, {"name": "X", "value": "$(Y)"})),
            ("/dev", "$(X)", (FROM_CONFIG,)),
            ("/", "$(X)/nvidia0", (FROM_CONFIG,)),
            ("/dev", "nv$(X)", (FROM_CONFIG,)),
            ("/", "dev/nvidia$(X)", (field("X", "metadata.uid"),)),
            ("/dev", "$(X)", (field("X", "metadata.namespace"),)),
            ("/dev", "$(X)", (field("X", "spec.serviceAccountName"),)),
            ("/dev", "./" * 3000 + "$(X)", (FROM_CONFIG,)),
        )
    ),
    sub_row(
        "an annotation of the pod",
        sub("/dev", subPathExpr="$(X)", origin_env=[NOTED], annotations={"x": "nvidia0"}),
        "subPathExpr",
    ),
    *(
        no_sub(f"{root} with {mount}", sub(root, origin_env=env, **mount), parent)
        for root, mount, env, parent in (
            ("/", {"subPath": "var/log"}, (), "info"),
            ("/dev", {"subPath": "shm"}, (), "info"),
            ("/dev", {"subPath": "shm", "subPathExpr": ""}, (), "info"),
            ("/data", {"subPath": "dev/nvidia0"}, (), None),
            ("/home/kubernetes/bin/nvidia", {"subPath": "lib64"}, (), None),
            ("/var", {"subPathExpr": "log/$(X)"}, (field("X", "metadata.name"),), "info"),
            ("/var", {"subPathExpr": "log/$(X)"}, (FROM_CONFIG,), "info"),
            ("/tmp", {"subPathExpr": "$(X)"}, (field("X", "metadata.name"),), "info"),
            ("/dev", {"subPathExpr": "$(X)"}, (NOTED,), "info"),
            ("/dev", {"subPathExpr": "$(UNSET)"}, (), "info"),
            ("/dev", {"subPathExpr": "$$(X)"}, (FROM_CONFIG,), "info"),
            ("/dev", {"subPath": ["nvidia0"]}, (), "info"),
        )
    ),
]

ROWS += SUB_PATHS
MPS = {"name": "mps", "hostPath": {"path": "/tmp/nvidia-mps"}}
SHARE = {"annotations": {"gpu-fraction": "0.5"}, "labels": {"kai.scheduler/queue": "q"}}
KAI = {"backend": {"name": "kai", "queue": "q"}}


def mps(policy=KAI, gpu=None, metadata=SHARE):
    made = pod(container(gpu=gpu), volumes=[MPS], schedulerName="kai-scheduler")
    return judge("GPU304", Row("", {**made, "metadata": {"name": "p", **metadata}}, policy=policy))


def test_a_pod_that_kai_serves_may_mount_the_pipe_of_mps():
    assert not mps()
    assert not mps(gpu=1, metadata={"labels": {"kai.scheduler/queue": "q"}})


@pytest.mark.parametrize("name", [name for name in loader.shipped() if name not in {"kai", "any"}])
def test_nobody_but_kai_grants_it(name):
    assert [each.rule for each in mps(loader.load(name).spec)] == ["GPU304"]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"annotations": {"gpu-memory": "x"}, "labels": {"kai.scheduler/queue": "q"}},
        {"annotations": {"gpu-fraction": "7"}, "labels": {"kai.scheduler/queue": "q"}},
        {"annotations": {"gpu-fraction": "0.5", "gpu-memory": "1024"}, "labels": {"kai.scheduler/queue": "q"}},
    ],
    ids=str,
)
def test_kai_grants_it_for_a_valid_request_only(metadata):
    assert [each.rule for each in mps(metadata=metadata)] == ["GPU304"]


def test_kai_grants_no_other_path():
    made = pod(container(), volumes=[{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}, MPS])
    made["metadata"] |= SHARE
    assert [each.pointer[2] for each in judge("GPU304", Row("", made, policy=KAI))] == [0]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_device_host_path(row):
    verify("GPU304", row)
