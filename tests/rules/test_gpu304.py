"""GPU304: which host paths lead to GPUs, however they are spelled."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission.policyfile import loader
from gpu_admission.registration import path_conditions
from gpu_admission.rules import gpu_markers, host_paths
from rules.table import Found, Row, container, judge, pod, template, verify

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


def sub(root, *, role="containers", origin_env=(), annotations=None, gpu=None, **mount):
    entry = container(
        gpu=gpu if role == "containers" else None,
        volumeMounts=[{"name": "v", "mountPath": "/x", **mount}],
        env=list(origin_env),
    )
    made = pod(
        entry if role == "containers" else container("other", gpu=gpu),
        annotations=annotations,
        volumes=[{"name": "v", "hostPath": {"path": root}}],
    )
    if role != "containers":
        made["spec"][role] = [entry]
    return made


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


TABLE = [*gpu_markers.DEVICE_PATHS, *gpu_markers.SOCKET_PATHS]


@pytest.mark.parametrize("path", [*TABLE, *gpu_markers.DRIVER_ROOTS])
def test_the_tables_are_written_as_paths_are_compared(path):
    assert host_paths.normal(path) == path


@pytest.mark.parametrize("table", [gpu_markers.DEVICE_PATHS, gpu_markers.SOCKET_PATHS], ids=["devices", "sockets"])
@pytest.mark.parametrize("tail", ["", "/", "0", "/0", "x/y", "-"])
@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_a_look_at_how_paths_begin_leaves_none_out(table, tail, cut):
    for place in TABLE:
        whole = place.rstrip("*")
        path = host_paths.normal(whole[: len(whole) - cut] + tail)
        led_to = next((what for each, what in table.items() if host_paths.inside(path, each)), None)
        assert host_paths.within(path, table) == led_to


def test_only_parents_have_something_below_them():
    folders = {host_paths.normal(place.rstrip("*")[:end]) for place in TABLE for end in range(len(place))}
    threads = "/proc/self/task"  # each with the same open files, in a place of its own
    assert folders > host_paths.PARENTS - gpu_markers.DRIVER_PARENTS - {threads}
    assert host_paths.parent_of(threads)
    for path in folders:
        above = any(place.startswith(f"{path.rstrip('/')}/") for place in TABLE)
        assert (host_paths.parent_of(path) is not None) == (above or path in gpu_markers.DRIVER_PARENTS), path


def test_driver_parents_are_driver_roots():
    assert set(gpu_markers.DRIVER_ROOTS) >= gpu_markers.DRIVER_PARENTS


@pytest.mark.parametrize("place", gpu_markers.DEVICE_PATHS)
@pytest.mark.parametrize("role", ["containers", "initContainers", "ephemeralContainers"])
def test_every_device_path_is_found_in_every_way_to_mount_it(place, role):
    path = place.rstrip("*") + ("0" if place.endswith("*") else "")
    for origin in ("file", "admission"):
        for made in (
            mounting(path),
            mounting(f"/proc/1/root{path}"),
            mounting(path.lstrip("/")),
            sub("/", role=role, subPath=path[1:]),
            sub("/proc/9/cwd", role=role, subPathExpr=path[1:]),
        ):
            assert "error" in [each.severity for each in judge("GPU304", Row("", made), origin)], made
            held = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": made["spec"]}}}
            assert "error" in [each.severity for each in judge("GPU304", Row("", held), origin)], made


def as_python(condition):
    """The condition on a path ``p``, as a function: it is made of few functions and literals of texts."""
    for cel, python in (
        ("p.size()", "len(p)"), ("p.contains(", "p.__contains__("),
        ("p.startsWith(", "p.startswith("), ("p.endsWith(", "p.endswith("), ("p.matches(", "matches("), ("||", "or"),
        ("&&", "and"), ("!p", "not p"),
    ):  # fmt: skip
        condition = condition.replace(cel, python)
    condition = re.sub(r"p\.substring\(0, (\d+)\)", r"p[:\1]", condition)
    code = compile(condition, "condition", "eval")
    return lambda path: eval(code, {"p": path, "matches": lambda pattern: bool(re.search(pattern, path))})


_DEVICES = frozenset(gpu_markers.DEVICE_PATHS)
CALLS_FOR_DEVICES = as_python(
    f"{path_conditions._may_lead('p', _DEVICES)} && {path_conditions._leads('p', path_conditions._below(_DEVICES))}"
)
CALLS_FOR_SUB_PATHS = as_python(path_conditions._leads("p", f"^{host_paths.folders(host_paths.SUB_PATH_PARENTS)}"))


PROCESSES = st.sampled_from(["1", "self", "thread-self", "31337", "self/task/5", "1/task/1"])
ROOTS = st.sampled_from(["", "", *(f"{root[1:]}/" for root in gpu_markers.DRIVER_ROOTS)])
LINKS = st.lists(
    st.tuples(ROOTS, st.just("proc/"), PROCESSES, st.sampled_from(["/root", "/cwd"])).map("".join), max_size=3
)
SLASHES = st.sampled_from(["/", "//", "/./", "/.//./"])


@st.composite
def spelled(draw):
    """Draw a place of the tables, and one of the ways to write it or a path below it."""
    place = draw(st.sampled_from(TABLE))
    names = place.rstrip("*").strip("/").split("/")
    if names[0] == "run":
        names = draw(st.sampled_from([names, ["var", *names]]))
    if names[:2] == ["proc", "self"]:
        names = ["proc", *draw(PROCESSES).split("/"), *names[2:]]
    if names[0] in {"dev", "proc"}:
        names = draw(st.sampled_from(["", *gpu_markers.DRIVER_ROOTS])).split("/")[1:] + names
    if place.endswith("*"):
        names[-1] += draw(st.sampled_from(["", "0", "-x"]))
    names = [name for link in draw(LINKS) for name in link.split("/")] + names + draw(st.sampled_from([[], ["x"]]))
    text = draw(st.sampled_from(["", "/", "//", "./", "/./"])) + names[0]
    return place, "".join([text, *(draw(SLASHES) + name for name in names[1:])]) + draw(st.sampled_from(["", "/"]))


@given(spelled())
def test_every_spelling_is_seen_through_and_an_expression_can_match_it(drawn):
    place, path = drawn
    assert host_paths.inside(host_paths.normal(path), place)
    assert re.match(host_paths.ROOT_LINKS + host_paths.spellings(place), path)
    assert place not in gpu_markers.DEVICE_PATHS or CALLS_FOR_DEVICES(path)


PARTS = ["dev", "nvidia0", "proc", "1", "self", "root", "cwd", "task", "var", "run", "cdi", "fd", ".", "", "driver"]


@given(st.lists(st.sampled_from([*PARTS, "nvidia", "char", "kfd", "etc", "x"]), max_size=9), st.booleans())
def test_what_an_expression_does_not_match_is_no_place_of_the_tables(parts, absolute):
    path = "/" * absolute + "/".join(parts)
    found = [place for place in TABLE if re.match(host_paths.ROOT_LINKS + host_paths.spellings(place), path)]
    assert found == [place for place in TABLE if host_paths.inside(host_paths.normal(path), place)]


@given(
    st.lists(st.sampled_from([*PARTS, "nvidia", "kubernetes", "bin", "home", "opt", "lib"]), max_size=7), st.booleans()
)
def test_the_conditions_call_for_whatever_is_found(parts, absolute):
    path = "/" * absolute + "/".join(parts)
    if path and ".." not in parts:
        if any(host_paths.inside(host_paths.normal(path), place) for place in gpu_markers.DEVICE_PATHS):
            assert CALLS_FOR_DEVICES(path)
        if host_paths.normal(path) in host_paths.SUB_PATH_PARENTS:
            assert CALLS_FOR_SUB_PATHS(path)
