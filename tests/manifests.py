"""Random pods and workloads: realistic, broken in the ways people break them, and plainly hostile.

Everything takes a ``random.Random``, so that a seed makes thousands (tests against a real API server) and
Hypothesis' own generator makes what it can shrink (``strategies``).
"""

import json
import re
from pathlib import Path

from gpu_admission.core.go_arithmetic import int32
from gpu_admission.core.raw import is_placeholder
from gpu_admission.workloads import resources

_CASES = json.loads((Path(__file__).parent / "core/quantity_cases.json").read_text(encoding="utf-8"))["cases"]
_EXPONENT = re.compile(r"[eE]([+-]?\d{1,19})$", re.ASCII)


def costly(raw):
    """Tell whether the API server itself would choke on a quantity: it expands exponents when it rounds amounts.

    kube-apiserver 1.36.2 answers ``"1e20000000"`` with 504 after 34 s of work; ``"1e1000000"`` costs it 0.3 s and more.
    """
    found = _EXPONENT.search(raw) if isinstance(raw, str) else None
    return found is not None and abs(int32(int(found[1]))) > 10_000


GO_CASES = [case["raw"] for case in _CASES if not costly(case["raw"])]

PLAIN = (1, 1, 1, 2, 4, 8, "1", "1", "2", "8", 16)
SUFFIXES = ("", "", "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
ODD = (
    0, -1, 0.5, 1.0, 1.5, 1e3, 1e16, 1e21, 1e-7, 1e300, -0.0, 2**31, 2**63 - 1, 2**63, 10**25, -(2**63),
    None, "0", "-0", ".", "Gi", "e3", "", " ", "1 ", " 1", "\t1", "1\n", "\u00a01", "01", "+1", "-1", "1.", ".5", "0.5",
    "500m", "1000m", "1500m", "1e3", "1E6", "10e-1", "1k", "1K", "1Ki", "1ki", "1E", "1Ei", "1.5Gi", "1g", "1_000",
    "1,000", "0x10", "1e", "1mm", "1.1.1", "--1", "+-1", "1e3m", "1 Gi", "NaN", "Inf", "one", "true", "\u0661",
    "\uff11", "1e1000000", "1e-1000000", "9223372036854775807", "9223372036854775808", "99999999999999999999",
    "0.0000000001", "1.0000000001", "0.9999", "0.1Ki", "8Gi", "80GB", "50%", "1/2", "9" * 400, "1\x00",
    True, False, [], [1], {}, {"value": 1}, "\u20281", "1e+3", "1e-3", "1E+3", "-1e-30", "1n", "-1n", "5e-1",
)  # fmt: skip
# Pairs that are one amount, and pairs that nearly are.
SAME = (
    (1, "1"), (1, "1000m"), (2, "2."), ("1k", 1000), ("1e3", "1k"), ("1Ki", 1024), (1, 1.0), ("1", "+1"), ("1", "01"),
    ("1000m", "1000000u"), (None, 0), ("8Gi", "8192Mi"), ("1e1000000", "9223372036854775808"), ("1", "0.9999999999"),
    ("0.0000000001", "1n"), ("1", "1.0000000001"), (2**53, 2**53 + 1), ("9" * 30, "1e30"), ("-0", "0"),
)  # fmt: skip

KNOWN = (
    *resources.known_names(),
    "nvidia.com/mig-1g.5gb", "nvidia.com/mig-3g.20gb", "nvidia.com/mig-1g.10gb.me", "nvidia.com/mig-7g.80gb.shared",
    "amd.com/cpx_nps4", "huawei.com/Ascend910B", "huawei.com/Ascend910B-memory",
)  # fmt: skip
COMMON = (
    "nvidia.com/gpu",
    "nvidia.com/gpu",
    "nvidia.com/gpu",
    "amd.com/gpu",
    "aliyun.com/gpu-mem",
    "nvidia.com/gpumem",
)
# Look like a GPU's, and are names that the API server takes for any extended resource ...
MISSPELT = (
    "nvidia.com/GPU", "nvidia.com/gpus", "nvidia.com/Gpu", "nvidia/gpu", "nvidia.com/gpu-mem", "amd.com/gpus",
    "limits.nvidia.com/gpu", "nvidia.com/mig-1g.7gb", "alpha.kubernetes.io/nvidia-gpu",
    "aliyun.com/gpu_mem", "nvidia.com/gpu.Shared",
)  # fmt: skip
# ... and names that it refuses.
REFUSED = (
    "gpu", "gpus", "GPU", "gpu-mem", "nvidia-gpu", "nvidia.com", "nvidia.com/gpu/1", "Nvidia.com/gpu", "NVIDIA.com/gpu",
    "nvidia_com/gpu", "nvidia.com/gpu-", "nvidia.com/gpu_", "/gpu", "gpu/", "nvidia..com/gpu", "nvidia.com/ gpu",
    "nvidia.com/gpu ", "requests.nvidia.com/gpu", "gpu-memory", "gpu-count", "nvidia", "gpu.shared", "nvidia.com /gpu",
)  # fmt: skip
ORDINARY = {"cpu": ("100m", "1", 2, "1.5"), "memory": ("64Mi", "1Gi", 1000000), "ephemeral-storage": ("1Gi",)}


def quantity(rng, clean=0.6):
    """An amount; ``clean`` is the share of valid ones."""
    if rng.random() < clean:
        return rng.choice(PLAIN)
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(ODD)
    if kind == 1:
        return rng.choice(GO_CASES)
    made = _spelt(rng)
    return 1 if costly(made) else made


def _spelt(rng):
    """A quantity by Kubernetes' grammar, or nearly."""
    digits = "".join(rng.choice("0123456789") for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 9, 15, 18, 19, 20, 30))))
    fraction = "".join(rng.choice("0123456789") for _ in range(rng.choice((0, 1, 1, 3, 9, 10, 18))))
    point = rng.choice(("", "", "", ".", "."))
    suffix = rng.choice(SUFFIXES)
    if rng.random() < 0.2:
        suffix = f"{rng.choice('eE')}{rng.choice(('', '+', '-'))}{rng.choice((0, 1, 2, 3, 9, 10, 18, 19, 30, 400))}"
    text = f"{rng.choice(('', '', '', '', '+', '-'))}{digits}{point}{fraction if point else ''}{suffix}"
    if rng.random() < 0.1:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(" _,.eEiKm+-\u0661x0") + text[at:]
    if text.isdecimal() and text.isascii() and rng.random() < 0.3:
        return int(text)
    if rng.random() < 0.1:
        number = rng.choice((rng.uniform(0, 10), rng.uniform(0, 1e20), rng.randrange(100) / 4, rng.random() * 1e-9))
        return float(number)
    return text


def gpu_name(rng, clean=0.9):
    """A resource name: known, misspelt or refused."""
    if rng.random() < clean:
        return rng.choice(COMMON) if rng.random() < 0.6 else rng.choice(KNOWN)
    return rng.choice(MISSPELT) if rng.random() < 0.4 else rng.choice(REFUSED)


def gpu_resources(rng, clean=0.7):
    """A mapping of limits and requests with no GPU or up to three."""
    limits, requests = {}, {}
    for name in dict.fromkeys(gpu_name(rng, 0.5 + clean / 2) for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3)))):
        _give(rng, limits, requests, name, clean)
    for name, amounts in ORDINARY.items():
        if rng.random() < 0.3:
            limits[name] = requests[name] = rng.choice(amounts)
    sides = {"limits": limits, "requests": requests}
    return {side: amounts for side, amounts in sides.items() if amounts or rng.random() < 0.1}


def _give(rng, limits, requests, name, clean):
    amount = quantity(rng, clean)
    way = rng.random()
    if way < 0.35:
        limits[name] = amount
    elif way < 0.35 + 0.4 * clean + 0.1:
        limits[name] = requests[name] = amount
    elif way < 0.9:
        limits[name], requests[name] = rng.choice(SAME) if rng.random() < 0.5 else (amount, quantity(rng, clean))
    else:
        requests[name] = amount


def container(rng, name, clean=0.7):
    made = {"name": name, "image": "example.com/x:1"}
    if rng.random() < 0.9:
        made["resources"] = gpu_resources(rng, clean)
    return made


def pod_spec(rng, clean=0.7):
    """A pod spec in which nothing but the resources can be wrong."""
    spec = {"containers": [container(rng, f"c{n}", clean) for n in range(rng.choice((1, 1, 2, 3)))]}
    if rng.random() < 0.4:
        spec["initContainers"] = [container(rng, f"i{n}", clean) for n in range(rng.choice((1, 2)))]
        for one in spec["initContainers"]:
            if rng.random() < 0.5:
                one["restartPolicy"] = "Always"
    return spec


def wrapped(rng, spec, kinds=None):
    """A pod spec in an object of a built-in kind."""
    kind = rng.choice(kinds or (*["Pod"] * 6, *BUILT_IN))
    return BUILT_IN[kind](spec) if kind != "Pod" else _object("v1", "Pod", spec=spec)


def _object(api_version, kind, **fields):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"generateName": "x-"}, **fields}


def _template(spec, **more):
    return {"metadata": {"labels": {"app": "x"}}, "spec": {**spec, **more}}


def _selecting(api_version, kind):
    def made(spec, **more):
        fields = {"selector": {"matchLabels": {"app": "x"}}, "template": _template(spec), **more}
        return _object(api_version, kind, spec=fields)

    return made


def _job(spec):
    return {"template": _template(spec, restartPolicy="Never")}


BUILT_IN = {
    "Deployment": _selecting("apps/v1", "Deployment"),
    "ReplicaSet": _selecting("apps/v1", "ReplicaSet"),
    "DaemonSet": _selecting("apps/v1", "DaemonSet"),
    "StatefulSet": lambda spec: _selecting("apps/v1", "StatefulSet")(spec, serviceName="x"),
    "Job": lambda spec: _object("batch/v1", "Job", spec=_job(spec)),
    "CronJob": lambda spec: _object(
        "batch/v1", "CronJob", spec={"schedule": "0 0 * * *", "jobTemplate": {"spec": _job(spec)}}
    ),
    "PodTemplate": lambda spec: _object("v1", "PodTemplate", template=_template(spec)),
    "ReplicationController": lambda spec: _object(
        "v1", "ReplicationController", spec={"selector": {"app": "x"}, "template": _template(spec)}
    ),
}


def filled_in(obj):
    """Tell whether no quantity is a placeholder, which files may hold and the linter passes over."""
    if isinstance(obj, dict):
        return all(filled_in(value) for value in obj.values())
    if isinstance(obj, list):
        return all(map(filled_in, obj))
    return not is_placeholder(obj)
