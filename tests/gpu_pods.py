"""Random pods that request GPUs in all ways, with the oddities of ``hostile_pods`` beside them."""

import hostile_pods

from gpu_admission.rules import runtime_variables, tolerations
from gpu_admission.workloads import resources

NAMES = (*resources.known_names(), "nvidia.com/mig-1g.5gb", "nvidia.com/mig-2g.10gb.shared", "amd.com/spx_nps1",
         "huawei.com/Ascend310P", "huawei.com/Ascend910B-memory", "cambricon.com/mlu370.smlu.vcore", "birentech.com/1-2-gpu")  # fmt: skip
COMMON = ("nvidia.com/gpu", "nvidia.com/gpu", "amd.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb")
UNKNOWN = (
    "example.com/gpu",
    "example.com/gpu-slice",
    "acme.io/GPU",
    "nvidia.com/gpus",
    "google.com/tpus",
    "example.com/foo",
)
AMOUNTS = ("1", "1", "1", "2", "0", "1k", "1e3", "4", "1000m", "1Ki")
REFUSED = ("500m", "-1", "1500m")
SCHEDULERS = ("default-scheduler", "volcano", "hami-scheduler", "kai-scheduler", "koord-scheduler", "mine")
ANNOTATIONS = {
    "gpu-fraction": ("0.5", "x", "2"),
    "gpu-memory": ("4096", "0"),
    "gpu-fraction-container-name": ("c1", "i", "nobody"),
    "gpu-fraction-num-devices": ("2",),
    "nvidia.com/container.c0.gpu-memory.request": ("4Gi",),
    "nvidia.com/container.c1.gpu-memory.limit": ("4Gi",),
    "nvidia.com/container.c1.other": ("x",),
    "cdi.k8s.io/x": ("nvidia.com/gpu=0",),
}
VARIABLES = (
    *runtime_variables.DEVICE_LISTS, *runtime_variables.SWITCHES, *runtime_variables.ISOLATION_SWITCHES, "CUDA_VERSION",
    "NVIDIA_REQUIRE_CUDA", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY", "LD_PRELOAD",
    "HABANA_VISIBLE_DEVICES_X", "CUDA_DEVICE_MEMORY_LIMIT_0", "ROCM_VERSION",
)  # fmt: skip
VALUES = (
    "",
    "void",
    "none",
    "all",
    "0",
    " void ,0",
    "none,none",
    ", none",
    "void,",
    "None",
    "enabled",
    "1",
    "false",
    "\tvoid",
    "no ne",
)


def requested(rng):
    """The resources of a container: what is requested, and what of it is limited."""
    made = {}
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        roll = rng.random()
        name = rng.choice(COMMON if roll < 0.5 else NAMES if roll < 0.85 else UNKNOWN)
        made[name] = rng.choice(AMOUNTS) if rng.random() < 0.97 else rng.choice(REFUSED)
    limits = {name: amount for name, amount in made.items() if rng.random() < 0.8}
    requests = {name: amount for name, amount in made.items() if name not in limits or rng.random() < 0.3}
    return {**({"limits": limits} if limits else {}), **({"requests": requests} if requests else {})}


def variables(rng):
    """Variables of which a few matter, some of them twice."""
    found = [{"name": rng.choice(VARIABLES), "value": rng.choice(VALUES)} for _ in range(rng.choice((1, 1, 2, 4)))]
    if rng.random() < 0.1:
        found.append({"name": rng.choice(VARIABLES), "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    if rng.random() < 0.05:
        path = "metadata.annotations['huawei.com/Ascend910']"
        found.append({"name": "ASCEND_VISIBLE_DEVICES", "valueFrom": {"fieldRef": {"fieldPath": path}}})
    return found


def toleration(rng):
    """A toleration that may or may not cover what a policy wants."""
    made = {"key": rng.choice(("nvidia.com/gpu", "amd.com/gpu", "", rng.choice(tolerations.TAINT_KEYS)))}
    made["operator"] = "Exists" if not made["key"] else rng.choice(("Exists", "Equal"))
    if made["operator"] == "Equal":
        made["value"] = rng.choice(("present", "true"))
    if rng.random() < 0.6:
        made["effect"] = rng.choice(("NoSchedule", "NoExecute", "PreferNoSchedule"))
    return {key: value for key, value in made.items() if value}


def pod(rng, chance=0.15):
    """A pod that most probably requests a GPU."""
    made = hostile_pods.pod(rng, rng.choice((0, 0.05, 0.1)))
    spec = made["spec"]
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        _dress(rng, container, chance)
    if rng.random() < chance:
        keys = rng.sample(sorted(ANNOTATIONS), rng.choice((1, 2)))
        made["metadata"].setdefault("annotations", {}).update({key: rng.choice(ANNOTATIONS[key]) for key in keys})
    spec.update({field: make(rng) for field, (part, make) in PLACEMENT.items() if rng.random() < part * chance})
    if rng.random() < chance / 2:
        spec["resourceClaims"] = [{"name": "claim", "resourceClaimTemplateName": "t"}]
        spec["containers"][0].setdefault("resources", {})["claims"] = [{"name": "claim"}]
    return made


def host_amounts(rng):
    """Memory and CPU, or one of them, or none."""
    given = {"memory": rng.choice(("1Gi", "1024Mi", "2Gi", "0")), "cpu": rng.choice(("1", "500m", "0"))}
    return {name: amount for name, amount in given.items() if rng.random() < 0.7}


SELECTORS = (
    {"nvidia.com/gpu": "1"},
    {"nvidia.com/gpu.present": "true"},
    {"pool": "cpu"},
    {"kubernetes.io/arch": "amd64"},
)


def affinity(rng):
    """Node affinity that requires labels, of GPU nodes or others, in one term or two."""
    terms = []
    for _ in range(rng.choice((1, 1, 2))):
        operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist", "Gt"))
        key = rng.choice(("nvidia.com/gpu.memory", "pool", "kubernetes.io/hostname"))
        values = {"In": ["1"], "NotIn": ["1"], "Gt": ["1"]}.get(operator)
        expression = {"key": key, "operator": operator, **({"values": values} if values else {})}
        name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
        terms.append(name if rng.random() < 0.2 else {"matchExpressions": [expression]})
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"nodeAffinity": required}


PLACEMENT = {
    "tolerations": (2, lambda rng: [toleration(rng) for _ in range(rng.choice((1, 2)))]),
    "schedulerName": (1, lambda rng: rng.choice(SCHEDULERS)),
    "nodeName": (0.5, lambda _: "n"),
    "runtimeClassName": (1, lambda rng: rng.choice(("nvidia", "gvisor", "amd"))),
    "nodeSelector": (0.5, lambda rng: rng.choice(SELECTORS)),
    "affinity": (0.5, affinity),
}


def _dress(rng, container, chance):
    if rng.random() < 0.6:
        container["resources"] = requested(rng)
        if rng.random() < 0.4:
            container["resources"].setdefault("limits", {}).update(host_amounts(rng))
            container["resources"].setdefault("requests", {}).update(host_amounts(rng))
    if rng.random() < 0.35:
        container["env"] = [*container.get("env", ()), *variables(rng)]
    if rng.random() < chance / 3:
        container["securityContext"] = {"privileged": True}
    if rng.random() < chance / 3:
        container["securityContext"] = {
            "capabilities": {"add": [rng.choice(("CAP_SYS_ADMIN", "sys_admin", "NET_ADMIN"))]}
        }


MEMORY = ("8Gi", "5000Mi", "1Gi", "300Mi", "8589934593", "1e10", "100M", "600Gi", "1", "0", "80Gi", "12345678901")


def portable(rng):
    """A pod that requests GPUs by the portable names, or by the number of cards."""
    made = hostile_pods.pod(rng, 0)
    spec = made["spec"]
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        roll, amounts = rng.random(), {}
        if roll < 0.6:
            amounts[resources.PORTABLE_MEMORY] = rng.choice(MEMORY[:6] if rng.random() < 0.7 else MEMORY)
            if rng.random() < 0.3:
                amounts[resources.PORTABLE_COUNT] = rng.choice(("1", "2", "8", "9", "0", "1k"))
            if rng.random() < 0.3:
                amounts[resources.PORTABLE_CORES] = rng.choice(("30", "100", "101", "0", "1"))
        elif roll < 0.75:
            amounts["nvidia.com/gpu"] = rng.choice(("1", "2", "16"))
        elif roll < 0.8:
            amounts[resources.PORTABLE_COUNT] = rng.choice(("1", "2", "8", "9", "0", "1k"))
        if rng.random() < 0.05:
            amounts[rng.choice(NAMES)] = "1"
        if amounts:
            container["resources"] = {"limits": {"cpu": "2", **amounts}}
    return made
