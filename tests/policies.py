"""Policies to judge things under: the shipped ones, and one in which every rule speaks."""

from gpu_admission import rules
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader

SHIPPED = [loader.load(name) for name in loader.shipped()]
ALL_ON = Policy(
    "all-on",
    {
        "rules": {rule.id: "deny" for rule in rules.ALL},
        "backend": {"name": "kai", "queue": "default"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "schedulerName": "kai-scheduler",
        "runtimeClassName": "nvidia",
        "visibleDevices": {"gpuLess": "void", "served": "void", "everyPod": True},
        "guardrails": {
            "sharedMemory": {"gpus": 1, "size": "1Gi"},
            "jobs": {"require": "deadline", "longestSeconds": 60, "deadlineSeconds": 60},
            "nodes": {"labels": ["pool"], "add": [{"key": "pool", "value": "gpu"}]},
            "runtimeClasses": [],
            "namespaces": ["gpus"],
        },
        "limits": {"perContainer": 1, "perPod": 1, "counts": [1]},
        "cluster": {
            "cards": [{"model": "A100-80", "memory": "80Gi", "perNode": 1, "mig": "mixed"}],
            "claims": {"templates": ["gpu-*"], "claims": ["shared-gpu"]},
        },
    },
)
ALL = [*SHIPPED, ALL_ON]
