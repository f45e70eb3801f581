"""Traits of kinds by which their pod specs are read and judged."""

from __future__ import annotations

from .kinds import split_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.pointer import Pointer

# Custom kinds that have no field `resources` outside of their pod templates, by their API types.
NO_RESOURCES: frozenset[tuple[str, str]] = frozenset(
    {
        *(
            ("kubeflow.org", kind)
            for kind in ("PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "PaddleJob", "MXJob", "JAXJob")
        ),
        ("batch.volcano.sh", "Job"),
        ("jobset.x-k8s.io", "JobSet"),
        ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
        ("argoproj.io", "Rollout"),
        ("apps.kruise.io", "CloneSet"),
    }
)
# Kinds whose pod specs are merged over others (of a runtime, a chart, an operator): missing fields may be in those,
# lists may replace theirs, and repeated values may be overrides.
MERGED: frozenset[tuple[str, str]] = frozenset(
    {
        ("serving.kserve.io", "LLMInferenceService"),  # over its baseRefs and KServe's default configurations
        ("serving.kserve.io", "LLMInferenceServiceConfig"),
        ("ome.io", "InferenceService"),
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
        ("argoproj.io", "Application"),
        ("argoproj.io", "ApplicationSet"),
        ("helm.cattle.io", "HelmChart"),
        ("helm.cattle.io", "HelmChartConfig"),
        ("addons.cluster.x-k8s.io", "HelmChartProxy"),
        ("trainer.kubeflow.org", "TrainJob"),
        ("nvidia.com", "DynamoGraphDeployment"),
        ("nvidia.com", "DynamoComponentDeployment"),
    }
)
_OVER_A_RUNTIME = (("serving.kserve.io", "InferenceService"), "workerSpec")

# Kinds with look-alikes of resources or pod specs: patterns, schemas, capacities, text.
NEVER: frozenset[tuple[str, str]] = frozenset(
    {
        ("", "ConfigMap"),
        ("", "Secret"),
        ("", "Node"),
        ("", "ResourceQuota"),
        ("", "LimitRange"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("karpenter.sh", "NodePool"),
        ("karpenter.sh", "NodeClaim"),
        ("kueue.x-k8s.io", "ClusterQueue"),
        ("scheduling.volcano.sh", "Queue"),
        ("scheduling.volcano.sh", "PodGroup"),
        ("nvidia.com", "DynamoGraphDeployment"),  # their `resources` are not those of a container
        ("nvidia.com", "DynamoComponentDeployment"),
    }
)
# Kinds whose controllers set the image: a container without one is complete.
IMAGELESS: frozenset[tuple[str, str]] = frozenset(
    {
        ("flink.apache.org", "FlinkDeployment"),
        ("serving.kserve.io", "LLMInferenceService"),
        ("serving.kserve.io", "LLMInferenceServiceConfig"),
        ("sparkoperator.k8s.io", "SparkApplication"),
        ("sparkoperator.k8s.io", "ScheduledSparkApplication"),
        ("spark.apache.org", "SparkApplication"),
    }
)
# Kinds that request GPUs by specific fields (rules/own_fields.py).
OWN_GPU_FIELDS: frozenset[tuple[str, str]] = frozenset(
    {
        ("sparkoperator.k8s.io", "SparkApplication"),
        ("sparkoperator.k8s.io", "ScheduledSparkApplication"),
        ("nvidia.com", "DynamoGraphDeployment"),
        ("nvidia.com", "DynamoComponentDeployment"),
    }
)
NEVER_GROUPS = (
    "kyverno.io",
    "gatekeeper.sh",
    "resource.k8s.io",
    "admissionregistration.k8s.io",
    "kustomize.config.k8s.io",
)


def is_merged(group: str, kind: str, path: Pointer, *, has_extra: bool) -> bool:
    """Return whether the pod spec at a place of a kind is merged over one of another object.

    A KServe component is if a container of a model server (``has_extra``) selects a runtime.
    """
    if (group, kind) == _OVER_A_RUNTIME[0]:
        return has_extra or path[-1:] == _OVER_A_RUNTIME[1:]
    return (group, kind) in MERGED


def never(api_version: str, kind: str) -> bool:
    """Return whether pod specs must not be looked for by shape in this kind."""
    group = split_group(api_version)
    return (group, kind) in NEVER or any(group == g or group.endswith("." + g) for g in NEVER_GROUPS)
