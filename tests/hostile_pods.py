"""Random pods without a GPU that have something of one, or nearly: what conditions and rules must agree on.

The API server takes most of them: names are unique, mounts have their volumes, amounts are whole. The words come from
the tables that the rules read, so that what is added to these is tried too.
"""

import copy
import itertools

from gpu_admission.rules import gpu_markers, host_paths, tolerations
from gpu_admission.workloads import resources

NAMES = tuple(resources.known_names())
LETTERS = "abcgpuxnvi0-."
ORDINARY_NAMES = (
    "google.com/fuse", "x.com/migrations", "example.com/foo", "rdma/hca", "nvidia.com/hostdev", "amd.com/snp",
    "devices.kubevirt.io/kvm", "aliyun.com/eni", "koordinator.sh/rdma", "vpc.amazonaws.com/efa", "intel.com/fpga",
    "nvidia.com/TU104GL_Tesla_T4", "smarter-devices/fuse", "example.com/imlunch", "huawei.com/ecs",
)  # fmt: skip
ORDINARY_VARIABLES = (
    "NVIDIA_API_KEY", "CUDA_HOME", "CUDA_VERSION", "CUDA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "ROCR_VISIBLE_DEVICES",
    "PATH", "NVIDIA", "nvidia_visible_devices", "GPU_COUNT", "NVIDIA_VISIBLE_DEVICES_X", "X_NVIDIA_VISIBLE_DEVICES",
)  # fmt: skip
VALUES = ("", "all", "void", "none", "0,1", "$(OTHER)", "enabled", "disabled", "true", "void,0")
PREFIXES = (
    None,
    "",
    "N",
    "NV",
    "NVIDIA_",
    "NVIDIA_VISIBLE_DEVICES",
    "X_",
    "AMD_VIS",
    "NVIDIA_API",
    "CUDA_",
    "H",
    "HABANA_VISIBLE_DEVICES",
    "DOCKER_RESOURCE_",
    "DOCKER_RESOURCE_G",
)
PATHS = (
    "/", "/dev", "/dev/shm", "/dev/fuse", "/dev/infiniband", "/var/lib/kubelet", "/var/lib/kubelet/device-plugins",
    "/var/run/docker.sock", "/run/containerd/containerd.sock", "/etc/kubernetes", "/proc", "/proc/driver", "/opt/nvidia",
    "/data/dev/nvidia0", "/usr/local/nvidia/lib64", "/home/.cdi", "/etc/cdiff", "/dev/drift", "/proc/1/root", "/proc/self/root/data",
    "/run/nvidia/driver/dev/nvidia0", "/opt/nvidia/dev/dri", "/run/nvidia/driver/proc/1/root/dev/kfd", "/proc/12/fd/3", "/proc/1/task/1/map_files", ".", "dev", "/opt",
)  # fmt: skip
ROOTS = (
    "/proc/1/root",
    "/run/nvidia/driver/proc/1/root",
    "/var/run/nvidia/vgpu-manager/./proc/7/cwd",
    "/proc/self/cwd",
    "/proc/thread-self/root",
    "/proc//1/./root",
    "/proc/1/root/proc/self/root",
)
MOUNTS = ("/data", "/mnt/nvidia-container-devices", "/var/run/secrets/x", "/dev/nvidia0", "/var/run/nvidia")
PLACES = (
    *gpu_markers.DEVICE_PATHS,
    *(
        f"{root}{path}"
        for root in gpu_markers.DRIVER_ROOTS
        for path in gpu_markers.DEVICE_PATHS
        if path.startswith(("/dev", "/proc"))
    ),
)
ABOVE = (
    *sorted(host_paths.PARENTS | host_paths.SUB_PATH_PARENTS),
    "/var/run",
    "/var/run/nvidia",
    "/proc/1",
    "/proc/7/task/7",
)
SUB_PATHS = ("dev/nvidia0", "data", "dev", "nvidia/dev/dri", "x/dev/kfd", "driver/dev", "root/dev/nvidia0")
KEYS = (
    "example.com/x",
    "volcano.sh/queue-name",
    "hami.io/other",
    "nvidia.com/use-gputype",
    "xcdi.k8s.io/x",
    "gpu-fractions",
    "huawei.com/Ascend",
)
LABELS = ("app", "hami.io/webhook", "kai.scheduler/queue", "runai-gpu-groups", "4pd.io/webhook", "volcano.sh/queue")
TAINTS = (
    "sku",
    "nvidia-gpu",
    "example.com/gpu",
    "node.kubernetes.io/unreachable",
    "gpu",
    "nvidia.com/mig",
    "amd.com/gpus2",
)
CLASSES = (*sorted(gpu_markers.NVIDIA_RUNTIME_CLASSES), "gvisor")


def slip(rng, word, most=2):
    """A word with one or two wrong letters."""
    letters = list(word)
    for _ in range(rng.randrange(1, most + 1)):
        place, deed = rng.randrange(len(letters)), rng.randrange(5)
        if deed == 0:
            letters.insert(place, rng.choice(LETTERS))
        elif deed == 1:
            letters[place] = rng.choice(LETTERS)
        elif deed == 2 and len(letters) > 1:
            del letters[place]
        elif deed == 3 and place + 1 < len(letters):
            letters[place : place + 2] = letters[place + 1], letters[place]
        else:
            letters[place] = letters[place].swapcase()
    return "".join(letters)


def filled(rng, pattern):
    """A key that matches a pattern of the tables."""
    return pattern.replace("*", rng.choice(("x", "vgpu", "a.b")))


def disguised(rng, path):
    """A path as people, and those who hide something, write it."""
    path = path.replace("*", rng.choice(("", "0", "x")))
    if path.startswith(("/dev", "/proc")) and rng.random() < 0.15:
        path = rng.choice(gpu_markers.DRIVER_ROOTS) + path
    if path.startswith("/run") and rng.random() < 0.5:
        path = f"/var{path}"
    if rng.random() < 0.3:
        path += rng.choice(("/", "/x", "x", "/.", "//x"))
    if rng.random() < 0.2:
        path = rng.choice(ROOTS) + path
    if rng.random() < 0.2:
        cut = rng.choice([at for at, letter in enumerate(path) if letter == "/"])
        path = path[:cut] + rng.choice(("//", "/./", "/x/../")) + path[cut + 1 :]
    return path


def sub_path(rng, volume):
    """What a mount takes of a volume: all of it, or what may lead from its folder to a device."""
    folder = host_paths.normal(volume.get("hostPath", {}).get("path", "/x")).rstrip("/")
    below = [path.removeprefix(f"{folder}/") for path in PLACES if path.startswith(f"{folder}/")]
    if rng.random() < (0.2 if below else 0.6):
        return {}
    path = disguised(rng, f"/{rng.choice(below if below and rng.random() < 0.7 else SUB_PATHS)}").lstrip("/")
    if rng.random() < 0.7:
        return {"subPath": path}
    names = path.split("/")
    if rng.random() < 0.7:
        names[rng.randrange(len(names))] = rng.choice(("$(X)", "x$(NVIDIA_VISIBLE_DEVICES)", "$$(X)", "$(X"))
    return {"subPathExpr": "/".join(names) or "x"}


def resource(rng):
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(ORDINARY_NAMES)
    if roll < 0.8:
        return slip(rng, rng.choice((*NAMES, "nvidia.com/mig-1g.5gb", "alpha.kubernetes.io/nvidia-gpu")))
    domain, rest = rng.choice(NAMES).partition("/")[0], rng.choice(NAMES).partition("/")[2]
    return rng.choice(
        (f"{domain}/{rest}", f"{slip(rng, domain)}/{rest}", f"{domain}/{slip(rng, rest)}", f"example.com/{rest}")
    )


def variable(rng):
    name = rng.choice(
        (
            *ORDINARY_VARIABLES,
            *gpu_markers.DEVICE_LISTS,
            *gpu_markers.SWITCHES,
            *gpu_markers.ISOLATION_SWITCHES,
            "CUDA_MPS_X",
        )
        if rng.random() < 0.8
        else [slip(rng, name) for name in gpu_markers.DEVICE_LISTS]
    )
    name = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)
    if rng.random() < 0.1:
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return {"name": name, "value": rng.choice(VALUES)}


def env_from(rng):
    prefix = rng.choice(PREFIXES)
    source = {rng.choice(("configMapRef", "secretRef")): {"name": "m", "optional": True}}
    return source if prefix is None else {**source, "prefix": prefix}


def some(rng, chance, make, most=2):
    return [make(rng) for _ in range(rng.randrange(1, most + 1))] if rng.random() < chance else []


def container(rng, name, volumes, chance):
    made = {"name": name, "image": "example.com/c:1"}
    made["env"] = some(rng, chance, variable, 3)
    made["envFrom"] = some(rng, chance / 2, env_from)
    if rng.random() < chance:
        amounts = {resource(rng): "1" for _ in range(rng.randrange(1, 3))}
        made["resources"] = {"limits": {"cpu": "1", **amounts}, "requests": dict(amounts)}
    paths = [rng.choice((*MOUNTS, disguised(rng, f"{gpu_markers.DEVICE_LIST_MOUNT}/all"))) for _ in range(2)]
    if volumes and rng.random() < 2 * chance:
        mounted = [(path, rng.choice(volumes)) for path in dict.fromkeys(paths)]
        made["volumeMounts"] = [
            {"name": volume["name"], "mountPath": path, **sub_path(rng, volume)} for path, volume in mounted
        ]
        if rng.random() < 0.3:
            made["env"].append({"name": "X", "value": rng.choice(("dev", "nvidia0", "0", "data", "", "$(Y)"))})
    if rng.random() < chance / 3:
        made["securityContext"] = (
            {"privileged": True} if rng.random() < 0.5 else {"capabilities": {"add": ["SYS_ADMIN"]}}
        )
    return made


def volume(rng, number):
    roll = rng.random()
    if roll < 0.25:
        path = rng.choice(PATHS)
    else:
        path = disguised(rng, rng.choice(PLACES if roll < 0.6 else (*ABOVE, *gpu_markers.SOCKET_PATHS)))
    source = {"hostPath": {"path": path}} if rng.random() < 0.6 else {"emptyDir": {}}
    return {"name": f"v{number}", **source}


def toleration(rng):
    key = rng.choice(TAINTS) if rng.random() < 0.5 else rng.choice(tolerations.TAINT_KEYS)
    return {"key": slip(rng, key, 1) if rng.random() < 0.4 else key, "operator": "Exists"}


def metadata(rng, chance):
    annotations = (
        *KEYS,
        *gpu_markers.TRUSTED_ANNOTATIONS,
        *(f"{d}/x" for d in (*gpu_markers.NRI_CDI_DOMAINS, *gpu_markers.NRI_DEVICE_DOMAINS)),
        "cdi.k8s.io/x",
        "a.cdi.k8s.io/x",
        "gpu-fraction",
        "nvidia.com/container.c.gpu-memory.request",
    )
    labels = (*LABELS, *gpu_markers.TRUSTED_LABELS)
    made = {}
    if rng.random() < chance:
        made["annotations"] = {
            filled(rng, rng.choice(annotations)): rng.choice(("x", "0.5", "- path: /dev/nvidia0", "- path: /dev/fuse"))
            for _ in range(rng.randrange(1, 3))
        }
    if rng.random() < chance:
        made["labels"] = {
            filled(rng, rng.choice(labels)): rng.choice(("x", "ignore")) for _ in range(rng.randrange(1, 3))
        }
    return made


def pod(rng, chance=0.12):
    """A pod with few oddities: often a single one, so that nothing hides behind another."""
    volumes = [volume(rng, number) for number in range(rng.randrange(1, 3))] if rng.random() < 3 * chance else []
    spec = {"containers": [container(rng, f"c{n}", volumes, chance) for n in range(rng.randrange(1, 3))]}
    if rng.random() < 0.2:
        spec["initContainers"] = [container(rng, "i", volumes, chance * 2)]
        if rng.random() < 0.5:
            spec["initContainers"][0]["restartPolicy"] = "Always"
    if volumes:
        spec["volumes"] = volumes
    if tolerated := some(rng, chance, toleration):
        spec["tolerations"] = tolerated
    if rng.random() < chance / 3:
        spec["runtimeClassName"] = rng.choice(CLASSES)
    for field in ("hostPID", "hostIPC"):
        if rng.random() < chance / 2:
            spec[field] = True
    if rng.random() < chance / 4:
        spec["resourceClaims"] = [{"name": "claim", "resourceClaimTemplateName": "t"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(rng, chance), "spec": spec}


NUMBERS = itertools.count(1)


def named(obj):
    """A copy with a name of its own, as the API server wants it."""
    made = copy.deepcopy(obj)
    made["metadata"] = {**made.get("metadata", {}), "name": f"m{next(NUMBERS)}", "namespace": "default"}
    return made
