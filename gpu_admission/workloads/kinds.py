"""The table of kinds: where the pod specs of each are.

A place is a JSON Pointer in which ``*`` stands for every item of a list or value of a mapping. The custom kinds come
from the schemas of 1,268 CRDs; versions are omitted, because no kind of the table moved its pod specs between versions.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from gpu_admission.core.pointer import Pointer

    What = Literal["pod", "containers", "resources", "flat", "object"]


class PodSpecPath:
    """The place of pod specs, or parts of them, in objects of a kind.

    ``what`` is ``pod`` (a PodSpec), ``containers`` (a mapping that holds containers under other keys than a
    PodSpec does), ``resources`` (a mapping with ``resources`` but no other field of a container), ``flat`` (one
    mapping for a pod and its main container: NIMService has ``resources`` beside ``tolerations``), or ``object`` (a
    whole Kubernetes object). ``extra`` names keys that hold one more container each
    (KServe's ``model``) or, with a trailing ``*``, a list of them.
    """

    __slots__ = ("extra", "path", "what")

    def __init__(self, path: str, what: What = "pod", extra: tuple[str, ...] = ()) -> None:
        self.path: Pointer = tuple(path.strip("/").split("/")) if path else ()
        self.what: What = what
        self.extra = extra


def _pods(*paths: str) -> tuple[PodSpecPath, ...]:
    return tuple(PodSpecPath(path) for path in paths)


def _under(prefix: str, places: tuple[PodSpecPath, ...]) -> tuple[PodSpecPath, ...]:
    """Return the places of a kind's spec in another kind that embeds it."""
    return tuple(PodSpecPath(prefix + "/" + "/".join(map(str, p.path[1:])), p.what, p.extra) for p in places)


_TEMPLATE = _pods("/spec/template/spec")
_RAY = _pods("/spec/headGroupSpec/template/spec", "/spec/workerGroupSpecs/*/template/spec")
_VOLCANO = _pods("/spec/tasks/*/template/spec")
_JOB_SET = _pods("/spec/replicatedJobs/*/template/spec/template/spec")
_TRAINING_RUNTIME = _pods("/spec/template/spec/replicatedJobs/*/template/spec/template/spec")
_ROLE_SET = _pods("/spec/roles/*/template/spec")
_ARGO_KEYS = ("container", "script", "containerSet/containers*", "sidecars*")
_ARGO = (
    PodSpecPath("/spec/templates/*", "containers", _ARGO_KEYS),
    PodSpecPath("/spec/templateDefaults", "containers", _ARGO_KEYS),
    PodSpecPath("/spec", "containers"),  # tolerations, nodeSelector and volumes of all pods
)
_TEKTON = tuple(PodSpecPath(f"/spec/{part}/*", "resources", ("computeResources",)) for part in ("steps", "sidecars"))
_SERVERS = (
    "model", "triton", "pytorch", "tensorflow", "sklearn", "xgboost", "huggingface", "onnx",
    "pmml", "lightgbm", "paddle", "art", "aix",
)  # fmt: skip
_KSERVE = (
    PodSpecPath("/spec/predictor", extra=_SERVERS),
    PodSpecPath("/spec/transformer"),
    PodSpecPath("/spec/explainer", extra=("art",)),
    PodSpecPath("/spec/predictor/workerSpec"),
    PodSpecPath("/spec/canary/*/predictor", extra=_SERVERS),
)
_OME_PARTS = ("engine", "decoder", "router")
_OME_ROLES = ("", "/leader", "/worker")
_OME = tuple(PodSpecPath(f"/spec/{part}{role}", extra=("runner",)) for part in _OME_PARTS for role in _OME_ROLES)
_OME_RUNTIME = (
    *_pods("/spec"),
    *(PodSpecPath(f"/spec/{part}Config{role}", extra=("runner",)) for part in _OME_PARTS for role in _OME_ROLES),
)
_SPARK_KEYS = ("sidecars*",)
_SPARK = tuple(
    place
    for part in ("driver", "executor")
    for place in (PodSpecPath(f"/spec/{part}/template/spec"), PodSpecPath(f"/spec/{part}", "flat", _SPARK_KEYS))
)
_LLM = _pods(
    "/spec/template",
    "/spec/worker",
    "/spec/prefill/template",
    "/spec/prefill/worker",
    "/spec/router/scheduler/template",
)
_REPLICA_SPECS = _pods("/spec/replicaSpecs/*/template/spec")
_MODEL_SERVING = {
    "ModelServing": _pods("/spec/template/roles/*/entryTemplate/spec", "/spec/template/roles/*/workerTemplate/spec"),
    "ModelBooster": (
        PodSpecPath("/spec/backend/workers/*", "resources"),
        PodSpecPath("/spec/backends/*/workers/*", "resources"),
    ),
}

_BY_GROUP: dict[str, dict[str, tuple[PodSpecPath, ...]]] = {
    "": {
        "Pod": _pods("/spec"),
        "PodTemplate": _pods("/template/spec"),
        "ReplicationController": _TEMPLATE,
    },
    "apps": dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), _TEMPLATE),
    "extensions": dict.fromkeys(("Deployment", "DaemonSet", "ReplicaSet"), _TEMPLATE),
    "batch": {"Job": _TEMPLATE, "CronJob": _pods("/spec/jobTemplate/spec/template/spec")},
    "serving.kserve.io": {
        "InferenceService": _KSERVE,
        "ServingRuntime": _pods("/spec", "/spec/workerSpec"),
        "ClusterServingRuntime": _pods("/spec", "/spec/workerSpec"),
        "LLMInferenceService": _LLM,
        "LLMInferenceServiceConfig": _LLM,
    },
    "serving.knative.dev": {"Service": _TEMPLATE, "Configuration": _TEMPLATE, "Revision": _pods("/spec")},
    "kubeflow.org": {
        "PyTorchJob": _pods("/spec/pytorchReplicaSpecs/*/template/spec"),
        "TFJob": _pods("/spec/tfReplicaSpecs/*/template/spec"),
        "MPIJob": _pods("/spec/mpiReplicaSpecs/*/template/spec"),
        "JAXJob": _pods("/spec/jaxReplicaSpecs/*/template/spec"),
        "PaddleJob": _pods("/spec/paddleReplicaSpecs/*/template/spec"),
        "XGBoostJob": _pods("/spec/xgbReplicaSpecs/*/template/spec"),
        "MXJob": _pods("/spec/mxReplicaSpecs/*/template/spec"),
        "Notebook": _TEMPLATE,
        "Experiment": (PodSpecPath("/spec/trialTemplate/trialSpec", "object"),),
    },
    "trainer.kubeflow.org": {
        "TrainingRuntime": _TRAINING_RUNTIME,
        "ClusterTrainingRuntime": _TRAINING_RUNTIME,
        "TrainJob": (
            PodSpecPath("/spec/trainer", "resources", ("resourcesPerNode",)),
            PodSpecPath("/spec/podSpecOverrides/*", "containers"),
        ),
    },
    "ray.io": {
        "RayCluster": _RAY,
        "RayJob": (*_under("/spec/rayClusterSpec", _RAY), *_pods("/spec/submitterPodTemplate/spec")),
        "RayService": _under("/spec/rayClusterConfig", _RAY),
        "RayCronJob": (
            *_under("/spec/jobTemplate/rayClusterSpec", _RAY),
            *_pods("/spec/jobTemplate/submitterPodTemplate/spec"),
        ),
    },
    "batch.volcano.sh": {"Job": _VOLCANO, "CronJob": _under("/spec/jobTemplate/spec", _VOLCANO)},
    "flow.volcano.sh": {"JobTemplate": _VOLCANO},
    "jobset.x-k8s.io": {"JobSet": _JOB_SET},
    "leaderworkerset.x-k8s.io": {
        "LeaderWorkerSet": _pods(
            "/spec/leaderWorkerTemplate/leaderTemplate/spec", "/spec/leaderWorkerTemplate/workerTemplate/spec"
        )
    },
    "kueue.x-k8s.io": {"Workload": _pods("/spec/podSets/*/template/spec")},
    "argoproj.io": {
        "Rollout": _TEMPLATE,
        "Experiment": _pods("/spec/templates/*/template/spec"),
        "Workflow": _ARGO,
        "WorkflowTemplate": _ARGO,
        "ClusterWorkflowTemplate": _ARGO,
        "CronWorkflow": _under("/spec/workflowSpec", _ARGO),
    },
    "apps.kruise.io": dict.fromkeys(("CloneSet", "StatefulSet", "DaemonSet", "BroadcastJob"), _TEMPLATE),
    "keda.sh": {"ScaledJob": _pods("/spec/jobTargetRef/template/spec")},
    "sparkoperator.k8s.io": {
        "SparkApplication": _SPARK,
        "ScheduledSparkApplication": _under("/spec/template", _SPARK),
    },
    "spark.apache.org": {
        "SparkApplication": _pods("/spec/driverSpec/podTemplateSpec/spec", "/spec/executorSpec/podTemplateSpec/spec")
    },
    "flink.apache.org": {
        "FlinkDeployment": _pods(
            "/spec/podTemplate/spec",
            "/spec/jobManager/podTemplate/spec",
            "/spec/taskManager/podTemplate/spec",
        )
    },
    "kubernetes.dask.org": {"DaskCluster": _pods("/spec/scheduler/spec", "/spec/worker/spec")},
    "machinelearning.seldon.io": {"SeldonDeployment": _pods("/spec/predictors/*/componentSpecs/*/spec")},
    "mlops.seldon.io": {"Server": _pods("/spec/podSpec")},
    "grove.io": {"PodCliqueSet": _pods("/spec/template/cliques/*/spec/podSpec")},
    "orchestration.aibrix.ai": {
        "StormService": _pods("/spec/template/spec/roles/*/template/spec"),
        "RoleSet": _ROLE_SET,
        "PodSet": _TEMPLATE,
        "RayClusterFleet": _under("/spec/template/spec", _RAY),
    },
    "ome.io": {"InferenceService": _OME, "ServingRuntime": _OME_RUNTIME, "ClusterServingRuntime": _OME_RUNTIME},
    "apps.nvidia.com": {
        "NIMService": (PodSpecPath("/spec", "flat"),),
        "NIMCache": (PodSpecPath("/spec", "flat"),),
        "NIMPipeline": (PodSpecPath("/spec/services/*/spec", "flat"),),
    },
    # ai-dynamo/dynamo: GPUs are requested by separate fields (rules/own_fields.py)
    "nvidia.com": {
        "DynamoGraphDeployment": (PodSpecPath("/spec/services/*/extraPodSpec", extra=("mainContainer",)),),
        "DynamoComponentDeployment": (PodSpecPath("/spec/extraPodSpec", extra=("mainContainer",)),),
    },
    "workload.serving.volcano.sh": _MODEL_SERVING,  # volcano-sh/kthena, and its former group
    "workload.volcano.sh": _MODEL_SERVING,
    "elastic.iml.github.io": {"ElasticJob": _REPLICA_SPECS},  # DLRover
    "elastic.pytorch.org": {"ElasticJob": _REPLICA_SPECS},
    "sagemaker.amazonaws.com": {"HyperPodPyTorchJob": _REPLICA_SPECS, "HyperPodPytorchJob": _REPLICA_SPECS},
    "kaito.sh": {"Workspace": _pods("/inference/template/spec")},
    "inference.llmaz.io": {
        "Playground": (PodSpecPath("/spec/backendRuntimeConfig", "resources"),),
        "Service": _pods("/spec/workloadTemplate/leaderTemplate/spec", "/spec/workloadTemplate/workerTemplate/spec"),
        "BackendRuntime": (PodSpecPath("/spec/recommendedConfigs/*", "resources"),),
    },
    "tekton.dev": {
        "Task": _TEKTON,
        "TaskRun": _under("/spec/taskSpec", _TEKTON),
    },
    "workload.codeflare.dev": {"AppWrapper": (PodSpecPath("/spec/components/*/template", "object"),)},
    "work.open-cluster-management.io": {"ManifestWork": (PodSpecPath("/spec/workload/manifests/*", "object"),)},
    "template.openshift.io": {"Template": (PodSpecPath("/objects/*", "object"),)},
    "apps.openshift.io": {"DeploymentConfig": _TEMPLATE},
}

BUILT_IN_GROUPS = frozenset({"", "apps", "batch", "extensions"})
# The number of kinds in the table, which the README states.
COUNT = sum([len(by_kind) for by_kind in _BY_GROUP.values()])


def split_group(api_version: str) -> str:
    """Return the API group of an ``apiVersion``, empty for the core group."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def places(api_version: str, kind: str) -> tuple[PodSpecPath, ...] | None:
    """Return the places of pod specs in a kind, None if it is not in the table."""
    return places_in(split_group(api_version), kind)


def places_in(group: str, kind: str) -> tuple[PodSpecPath, ...] | None:
    """Return the places of pod specs in a kind of an API group, None if it is not in the table."""
    known = _BY_GROUP.get(group)
    return None if known is None else known.get(kind)


def known() -> list[tuple[str, str, tuple[PodSpecPath, ...]]]:
    """Yield the table: group, kind, places."""
    return [(group, kind, spots) for group, kinds in _BY_GROUP.items() for kind, spots in kinds.items()]
