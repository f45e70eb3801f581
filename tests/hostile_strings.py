"""Long strings of the kinds that readers of strings stumble over, and a Pod that has a string wherever one can stand."""

UNITS = {
    "letters": "a",
    "capitals": "A",
    "digits": "9",
    "zeros": "0",
    "dots": ".",
    "slashes": "/",
    "spaces": " ",
    "lines": "\n",
    "commas": ",",
    "clauses": ", or a; (b) ",
    "quotes": '"',
    "controls": "\x1b",
    "accents": "é",
    "full width": "１",
    "dashes": "-",
    "stars": "*",
    "tildes": "~",
    "backslashes": "\\",
    "brackets": "[{",
    "angles": "<",
    "percents": "%a",
    "underscores": "A_",
    "dollars": "$",
    "references": "$(A)",
    "open references": "$(",
    "placeholders": "{{ ",
    "roots": "/proc/1/root",
    "threads": "/proc/self/task/7/cwd",
    "parents": "../",
    "devices": "/dev/nvidia0 ",
    "var run": "/var/run",
    "device lists": "/var/run/nvidia-container-devices",
    "drivers": "/run/nvidia/driver/dev",
    "nodes": "- path: /dev/nvidia0\n  type: c\n  major: 195\n",
    "majors": "major: 195, ",
    "names": "nvidia.com/gpu",
    "gpus": "gpu",
    "profiles": "mig-1g.5gb",
    "domains": "cdi.k8s.io/",
    "kai": "nvidia.com/container.a.gpu-memory.request",
    "variables": "NVIDIA_VISIBLE_DEVICES",
    "limits": "CUDA_MPS_",
    "exponents": "1e9",
    "fractions": "0.5",
    "voids": "void,0",
}
STARTS = (
    "", "/", "1", "0.", "-", "$", "$(", "nvidia.com/", "nvidia.com/gpu", "nvidia.com/mig-", "nvidia.com/container.",
    "gpu", "volcano.sh/", "/dev/", "/var/run/nvidia-container-devices", "NVIDIA_", "1e", "GPU-", "cdi.k8s.io/", "hami.io/",
)  # fmt: skip
ENDS = ("", "Gi", "x", "/", "$(B)", "e9", ".gpu-memory.request", "gpu", ")")


def hostile(unit, length, start="", end=""):
    """Return a string of about this length."""
    return start + unit * (length // len(unit)) + end


def container(name, **more):
    return {
        "name": name,
        "image": "example.com/train:1",
        "command": ["train"],
        "workingDir": "/work",
        "env": [
            {"name": "A", "value": "all"},
            {"name": "NVIDIA_VISIBLE_DEVICES", "value": "$(A)"},
            {"name": "AMD_VISIBLE_DEVICES", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['a']"}}},
            {"name": "HABANA_VISIBLE_DEVICES", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            {"name": "CUDA_MPS_PIPE_DIRECTORY", "value": "/tmp"},
            {"name": "CUDA_VERSION", "value": "12"},
            {"name": "LD_PRELOAD", "value": "/x.so"},
        ],
        "envFrom": [{"prefix": "NVIDIA_", "configMapRef": {"name": "c"}}],
        "resources": {
            "limits": {"nvidia.com/gpu": "1", "nvidia.com/mig-1g.5gb": "1", "volcano.sh/vgpu-memory": "8", "gpu": "1"},
            "requests": {"nvidia.com/gpu": "2", "aliyun.com/gpu-mem": "4", "cpu": "1"},
            "claims": [{"name": "gpu", "request": "r"}],
        },
        "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}},
        "volumeMounts": [
            {"name": "n", "mountPath": "/var/run/nvidia-container-devices/all"},
            {"name": "root", "mountPath": "/x", "subPath": "dev/nvidia0"},
            {"name": "root", "mountPath": "/y", "subPathExpr": "$(A)/$(B)"},
        ],
        **more,
    }


def pod(**spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "generateName": "p-",
            "labels": {"kai.scheduler/queue": "q", "hami.io/webhook": "ignore", "runai-gpu-group": "g", "app": "a"},
            "annotations": {
                "a": "0",
                "gpu-memory": "1024",
                "gpu-fraction": "0.5",
                "gpu-fraction-container-name": "train",
                "gpu-fraction-num-devices": "2",
                "nvidia.com/container.train.gpu-memory.request": "8Gi",
                "kai.scheduler/container.train.gpu-memory.portion.limit": "0.5",
                "runai/shared-gpu-configmap": "c",
                "devices.nri.io/container.train": "- path: /dev/nvidia0",
                "cdi.k8s.io/x": "nvidia.com/gpu=all",
                "hami.io/vgpu-devices-allocated": "x",
                "scheduling.koordinator.sh/device-allocated": "{}",
                "scheduling.koordinator.sh/device-allocate-hint": "{}",
                "ALIYUN_COM_GPU_MEM_IDX": "0",
                "nvidia.com/use-gputype": "A100",
            },
        },
        "spec": {
            "nodeName": "n",
            "schedulerName": "kai-scheduler",
            "runtimeClassName": "nvidia",
            "serviceAccountName": "s",
            "nodeSelector": {"nvidia.com/gpu.product": "A100", "nvidia.com/gpu": "1"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["a"]}]}]
                    }
                }
            },
            "tolerations": [
                {"key": "nvidia/gpu", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
            ],
            "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
            "volumes": [
                {"name": "n", "hostPath": {"path": "/dev/null", "type": "CharDevice"}},
                {"name": "root", "hostPath": {"path": "/"}},
                {"name": "d", "hostPath": {"path": "/dev/nvidia0"}},
            ],
            "containers": [container("train"), container("b")],
            "initContainers": [container("init", restartPolicy="Always")],
            "ephemeralContainers": [container("debug")],
            **spec,
        },
    }


def places(value, at=()):
    """Yield the path of every string in an object: values, and keys as paths that end in None."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*at, key, None)
            yield from places(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))
    elif isinstance(value, str):
        yield at


def put(value, at, text):
    """Return an object with a text in a place that `places` named."""
    if not at:
        return text
    head, *rest = at
    if rest == [None]:
        return {(text if key == head else key): item for key, item in value.items()}
    if isinstance(value, dict):
        return {key: put(item, rest, text) if key == head else item for key, item in value.items()}
    return [put(item, rest, text) if index == head else item for index, item in enumerate(value)]
