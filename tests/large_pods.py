"""Pods without a GPU that are as large as the API server takes them, each in another respect.

It takes requests of 3 MiB and etcd 1.5 MiB as they are stored, annotations 256 KiB. Lists are given as many entries
as fit, and names as long as they may be.
"""


def pod(metadata=None, **spec):
    """A pod with one container, unless others are given."""
    spec = {"containers": [container("c")], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata or {}, "spec": spec}


def container(name, **fields):
    return {"name": name, "image": "i", **fields}


def keys(count, length):
    """Different keys of a length, in a domain of their own."""
    return {f"{number:x}.example.com/".ljust(length, "x"): "" for number in range(count)}


def variables(count, length):
    return [{"name": f"V{number:x}_".ljust(length, "X")} for number in range(count)]


def mounts(count, length):
    return [{"name": "v", "mountPath": f"/mnt/{number:x}/".ljust(length, "x")} for number in range(count)]


def volumes(count, path):
    return [{"name": f"v{number:x}", "hostPath": {"path": path.format(number)}} for number in range(count)]


EMPTY = [{"name": "v", "emptyDir": {}}]
ODD = {f"{number:x}.example.com/some-device": "1" for number in range(400)}
LARGE = {
    "annotations of 40": pod({"annotations": keys(6200, 40)}),
    "annotations of 25": pod({"annotations": keys(10_000, 25)}),
    "annotations of 6": pod({"annotations": {f"a{number:x}": "" for number in range(43_000)}}),
    "annotations of 300": pod({"annotations": {("d" * 63 + ".") * 3 + f"example.com/{n:x}".ljust(60, "x"): "" for n in range(900)}}),
    "labels of 40": pod({"labels": keys(19_000, 40)}),
    "labels of 75": pod({"labels": keys(15_000, 75)}),
    "variables of 60": pod(containers=[container("c", env=variables(5500, 60))]),
    "more variables of 60": pod(containers=[container("c", env=variables(19_000, 60))]),
    "variables of 1": pod(containers=[container("c", env=[{"name": "V"}] * 150_000)]),
    "long variables": pod(containers=[container("c", env=variables(5500, 240))]),
    "variables of 3 containers": pod(containers=[container(f"c{n}", env=variables(5500, 60)) for n in range(3)]),
    "variables of 100 containers": pod(containers=[container(f"c{n}", env=variables(190, 60)) for n in range(100)]),
    "variables of init containers": pod(initContainers=[container(f"i{n}", env=variables(1500, 20)) for n in range(13)]),
    "1,000 containers": pod(containers=[container(f"c{n}", env=variables(15, 60), resources={"requests": {"cpu": "1", "example.com/foo": "1"}, "limits": {"example.com/foo": "1"}}) for n in range(1000)]),
    "4,000 containers": pod(containers=[container(f"c{n}") for n in range(4000)]),
    "other resources": pod(containers=[container("c", resources={"limits": ODD, "requests": ODD})]),
    "other resources of 50 containers": pod(containers=[container(f"c{n}", resources={"limits": dict(list(ODD.items())[:40]), "requests": dict(list(ODD.items())[:40])}) for n in range(50)]),
    "other resources of 12 containers": pod(containers=[container(f"c{n}", resources={"limits": ODD, "requests": ODD}) for n in range(12)]),
    "node selectors": pod(nodeSelector=keys(490, 250)),
    "more node selectors": pod(nodeSelector=keys(10_000, 60)),
    "mounts": pod(containers=[container("c", volumeMounts=mounts(6000, 60))], volumes=EMPTY),
    "long mounts": pod(containers=[container("c", volumeMounts=mounts(600, 2000))], volumes=EMPTY),
    "envFrom": pod(containers=[container("c", envFrom=[{"prefix": "APP_", "configMapRef": {"name": "m"}}] * 6000)]),
    "more envFrom": pod(containers=[container("c", envFrom=[{"prefix": "APP_", "configMapRef": {"name": "m"}}] * 40_000)]),
    "hostPaths": pod(volumes=volumes(1000, "/var/lib/some/longer/path/{}")),
    "hostPaths of NVIDIA's": pod(volumes=volumes(1000, "/run/nvidia/other/{}")),
    "long hostPaths": pod(volumes=volumes(1000, "/var/lib/" + "x" * 480 + "/{}")),
    "longer hostPaths": pod(volumes=volumes(700, "/var/lib/" + "x" * 2000 + "/{}")),
    "dotted hostPaths": pod(volumes=volumes(1000, "/home/.config/{}")),
    "other volumes": pod(volumes=[{"name": f"v{n:x}", "emptyDir": {}} for n in range(20_000)]),
    "tolerations": pod(tolerations=[{"key": f"example.com/taint-{n:x}", "operator": "Exists"} for n in range(5000)]),
    "more tolerations": pod(tolerations=[{"key": f"example.com/taint-{n:x}", "operator": "Exists"} for n in range(30_000)]),
    "long tolerations": pod(tolerations=[{"key": f"{n:x}.example.com/".ljust(250, "x"), "operator": "Exists"} for n in range(4500)]),
    "host namespaces": pod(hostIPC=True, containers=[container("c", env=variables(5500, 240))]),
}  # fmt: skip
