"""What pods carry besides resources, of any kind that the table knows; and ways to break an object's shape.

The second half of ``manifests``: like there, everything takes a ``random.Random``.
"""

import copy

import manifests

from gpu_admission.workloads import kinds

TOLERATIONS = (
    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "nvidia.com/gpu", "operator": "Exists"},
    {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
    {"key": "nvidia.com/gpu", "value": "true"},
    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
    {"operator": "Exists"},
    {"key": "nvidia/gpu", "operator": "Exists"},
    {"key": "sku", "value": "gpu", "effect": "NoSchedule"},
    {"key": "amd.com/gpu", "operator": "Exists", "effect": "PreferNoSchedule"},
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
    {},
)
ENV = (
    *({"name": "NVIDIA_VISIBLE_DEVICES", "value": value} for value in ("all", "none", "void", "", "0", "GPU-1234")),
    {"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    {"name": "NVIDIA_VISIBLE_DEVICES"},
    {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "all"},
    {"name": "CUDA_VISIBLE_DEVICES", "value": "0,1"},
    {"name": "AMD_VISIBLE_DEVICES", "value": "all"},
    {"name": "CUDA_DISABLE_CONTROL", "value": "true"},
    {"name": "PATH", "value": "$(HOME)/bin"},
    {"value": "nameless"},
)
ENV_FROM = ({"configMapRef": {"name": "c"}}, {"prefix": "NVIDIA_", "configMapRef": {"name": "c"}}, {"prefix": "X_"})
PATHS = (
    "/", "/dev", "/dev/nvidia0", "/dev/nvidiactl", "/var/run/cdi", "/etc/cdi", "/var/lib/kubelet/device-plugins",
    "/var/run/docker.sock", "/run/containerd/containerd.sock", "/tmp", "/dev/../dev/dri", "//dev//nvidia0/",
    "/usr/local/nvidia", "/dev/shm", "", "relative",
)  # fmt: skip
MOUNTS = ("/var/run/nvidia-container-devices/all", "/var/run/nvidia-container-devices", "/data", "/dev/nvidia0")
ANNOTATIONS = {
    "cdi.k8s.io/gpu": "nvidia.com/gpu=all",
    "gpu-fraction": "0.5",
    "gpu-memory": "4096",
    "volcano.sh/vgpu-ids-new": "x",
    "hami.io/vgpu-devices-allocated": "x",
    "scheduling.k8s.io/group-name": "g",
    "nvidia.com/use-gputype": "A100",
    "gpu-admission.io/ignore": "GPU201",
    "example.com/other": "x",
}
LABELS = {"app": "x", "kai.scheduler/queue": "q", "hami.io/webhook": "ignore", "gpu-admission.io/x": "y"}
SECURITY = (
    {"privileged": True},
    {"capabilities": {"add": ["SYS_ADMIN"]}},
    {"capabilities": {"add": ["ALL"], "drop": ["ALL"]}},
    {"runAsNonRoot": True},
    {"privileged": "yes", "capabilities": []},
)
SPEC = (
    ("nodeName", ("gpu-0", "")),
    ("schedulerName", ("default-scheduler", "volcano", "hami-scheduler", "")),
    ("runtimeClassName", ("nvidia", "nvidia-cdi", "gvisor", "")),
    ("hostPID", (True, False)),
    ("hostIPC", (True,)),
    ("nodeSelector", ({"nvidia.com/gpu": 1}, {"nvidia.com/gpu.product": "A100"}, {"nvidia.com/gpu": "1"})),
    (
        "resourceClaims",
        (
            [{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
            [{"name": "gpu", "resourceClaimTemplateName": "gpu-8gi"}, {"name": "nic", "resourceClaimName": "roce"}],
            [{"name": "gpu", "resourceClaimName": "shared-gpu"}],
            [{"name": "gpu", "source": {"resourceClaimTemplateName": "gpu-8gi"}}],
            [{"name": "gpu"}, {"name": "gpu", "resourceClaimName": "a", "resourceClaimTemplateName": "b"}],
        ),
    ),
    ("resources", ({"limits": {"nvidia.com/gpu": 1}}, {"limits": {"cpu": 1}})),
    ("nvidia.com/gpu", (1,)),
)
CLAIMS = (
    [{"name": "gpu"}],
    [{"name": "gpu", "request": "gpu"}, {"name": "nic"}],
    [{"name": "gpus"}],
    ["gpu"],
    [{"name": "gpu"}, {"name": "gpu"}],
)
HOSTILE = (
    None, True, False, 0, -1, 1, 2.5, 10**400, 1e308, "", "x", "nvidia.com/gpu", "\x1b[31m", "\ud800", "\u0661", "$GPUS",
    [], {}, [[]], [None], [{}], {"": None}, {"nvidia.com/gpu": 1}, {"limits": {"nvidia.com/gpu": "1"}}, ["x"] * 70,
    {"name": "c0"}, "e" * 5000, "1e2147483647",
)  # fmt: skip


def some(rng, choices, most=2):
    return [copy.deepcopy(rng.choice(choices)) for _ in range(rng.randrange(most + 1))]


def decorate(rng, spec, chance=0.3):
    """Put into a pod spec what pods have besides resources."""
    for field, values in SPEC:
        if rng.random() < chance / 4:
            spec[field] = copy.deepcopy(rng.choice(values))
    if rng.random() < chance:
        spec["tolerations"] = some(rng, TOLERATIONS, 3)
    if rng.random() < chance:
        spec["volumes"] = [{"name": f"v{n}", "hostPath": {"path": p}} for n, p in enumerate(some(rng, PATHS))]
    for one in (*spec.get("initContainers", ()), *spec["containers"]):
        _decorate_container(rng, one, chance)
    return spec


def _decorate_container(rng, one, chance):
    for field, values in (("env", ENV), ("envFrom", ENV_FROM)):
        if rng.random() < chance:
            one[field] = some(rng, values)
    if rng.random() < chance / 2:
        one["volumeMounts"] = [{"name": "v0", "mountPath": path} for path in some(rng, MOUNTS)]
    if rng.random() < chance / 2:
        one["securityContext"] = copy.deepcopy(rng.choice(SECURITY))
    if rng.random() < chance / 3:
        one["resources"] = {**one.get("resources", {}), "claims": copy.deepcopy(rng.choice(CLAIMS))}
    if rng.random() < chance / 20:
        limits = one.get("resources", {}).get("limits") or {}
        one["resources"] = {
            **one.get("resources", {}),
            "limits": {**limits, "claims": copy.deepcopy(rng.choice(CLAIMS))},
        }
    if rng.random() < chance / 10:
        one["resources"] = {**one.get("resources", {}), "nvidia.com/gpu": 1, "request": {"nvidia.com/gpu": 1}}


def metadata(rng):
    """Metadata with annotations and labels that schedulers and device plugins read."""
    made = {"name": "x"}
    for field, choices in (("annotations", ANNOTATIONS), ("labels", LABELS)):
        if rng.random() < 0.3:
            made[field] = dict(rng.choice(list(choices.items())) for _ in range(rng.randrange(1, 3)))
    return made


def pod(rng, clean=0.7):
    spec = decorate(rng, manifests.pod_spec(rng, clean))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(rng), "spec": spec}


def workload(rng, clean=0.7):
    """An object of any kind of the table, or of an unknown one."""
    if rng.random() < 0.4:
        return pod(rng, clean)
    group, kind, places = rng.choice(
        [*kinds.known(), ("example.com", "Train", (kinds.PodSpecPath("/spec/run/podSpec"),))]
    )
    obj = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": metadata(rng)}
    for place in places:
        if place.path and rng.random() < 0.7:
            _put(rng, obj, place, clean)
    return obj


def _put(rng, obj, place, clean):
    what = decorate(rng, manifests.pod_spec(rng, clean))
    if place.what == "object":
        what = pod(rng, clean)
    elif place.what != "pod":
        what = {}
    for extra in place.extra:
        if rng.random() < 0.5 and "/" not in extra:
            one = manifests.container(rng, "main", clean)
            resources = place.what == "resources"
            what[extra.rstrip("*")] = one.get("resources", {}) if resources else [one] if extra.endswith("*") else one
    if place.path[-1] == "spec" and len(place.path) > 1 and rng.random() < 0.5:
        _merge(obj, _nested((*place.path[:-1], "metadata"), metadata(rng)))
    _merge(obj, _nested(place.path, what))


def _nested(path, value):
    for before, token in reversed(list(zip(("", *path), path, strict=False))):
        # Kubeflow's replicaSpecs are a mapping by role, everybody else's are lists.
        key = "Worker" if before.endswith("ReplicaSpecs") else token
        value = [value] if key == "*" else {key: value}
    return value


def _merge(one, other):
    for key, value in other.items():
        mine = one.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            _merge(mine, value)
        elif isinstance(mine, list) and isinstance(value, list):
            _merge(mine[0], value[0])
        else:
            one[key] = value


def paths(value, path=()):
    """Every place of an object, the root first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def broken(rng, obj):
    """The object with a few places replaced, removed or doubled, its type unchanged."""
    made = copy.deepcopy(obj)
    for _ in range(rng.randrange(1, 4)):
        places = [path for path in paths(made) if path and path[0] not in {"apiVersion", "kind"}]
        if not places:
            break
        *way, last = rng.choice(places)
        here = made
        for token in way:
            here = here[token]
        deed = rng.randrange(4)
        if deed == 0:
            del here[last]
        elif deed == 1 and isinstance(here, list):
            here.append(copy.deepcopy(here[last]))
        else:
            here[last] = copy.deepcopy(rng.choice(HOSTILE))
    return made
