"""GPU501, GPU502 and GPU504 to GPU506: each rule's cases, on Pods and templates, and what all of them have in common."""

import pytest

from gpu_admission.policy.guardrails import NODE_LABELS
from rules.guardrail_pods import at, owned, settings
from rules.table import Row, container, pod, template, verify

GUARDRAILS = ["GPU501", "GPU502", "GPU504", "GPU505", "GPU506"]
GPU = "nvidia.com/gpu"


def sized(requests=None, limits=None, name="train", **fields):
    amounts = {"limits": {GPU: 1, **(limits or {})}}
    if requests is not None:
        amounts["requests"] = requests
    return container(name, resources=amounts, **fields)


REQUESTS = "/spec/containers/0/resources/requests"
FULL = {"cpu": 4, "memory": "8Gi"}
HOST = [
    Row("as it should be", pod(sized(FULL, {"memory": "8Gi"}))),
    Row("equal in another spelling", pod(sized({"cpu": 4, "memory": "8192Mi"}, {"memory": "8Gi"}))),
    Row("limits alone: Kubernetes copies them", pod(sized(limits={"cpu": 4, "memory": "8Gi"}))),
    Row(
        "less than the limit",
        pod(sized({"cpu": 4, "memory": "4Gi"}, {"memory": "8Gi"})),
        (at(f"{REQUESTS}/memory", 'container "train"', 'memory: "4Gi"', 'limit of "8Gi"', fix="unsafe"),),
        fixed=pod(sized(FULL, {"memory": "8Gi"})),
    ),
    Row(
        "no limit",
        pod(sized(FULL)),
        (at(f"{REQUESTS}/memory", "no memory limit", 'limits.memory to "8Gi"', fix="unsafe"),),
        fixed=pod(sized(FULL, {"memory": "8Gi"})),
    ),
    Row(
        "neither memory nor CPU",
        pod(container(gpu=1)),
        (
            at("/spec/containers/0/resources", "does not set a CPU request", "requests.cpu"),
            at("/spec/containers/0/resources", "does not set a memory limit", "limits.memory"),
        ),
    ),
    Row(
        "a CPU request of 0",
        pod(sized({"cpu": "0", "memory": "8Gi"}, {"memory": "8Gi"})),
        (at(f"{REQUESTS}/cpu", 'requests cpu: "0"'),),
    ),
    Row(
        "an init container and a sidecar",
        pod(
            container(),
            initContainers=[
                sized({"cpu": 1, "memory": "1Gi"}, {"memory": "2Gi"}, "a"),
                sized({"memory": "2Gi"}, {"memory": "2Gi"}, "b", restartPolicy="Always"),
            ],
        ),
        (
            at("/spec/initContainers/0/resources/requests/memory", 'init container "a"', fix="unsafe"),
            at("/spec/initContainers/1/resources", 'sidecar container "b"', "CPU"),
        ),
        fixed=pod(
            container(),
            initContainers=[
                sized({"cpu": 1, "memory": "2Gi"}, {"memory": "2Gi"}, "a"),
                sized({"memory": "2Gi"}, {"memory": "2Gi"}, "b", restartPolicy="Always"),
            ],
        ),
    ),
    Row(
        "by annotation",
        pod(container(), annotations={"gpu-fraction": "0.5"}),
        (at("/spec/containers/0", "CPU"), at("/spec/containers/0", "memory")),
    )._replace(name="by annotation"),
    Row("containers beside are not judged", pod(sized(FULL, {"memory": "8Gi"}), container("b"))),
    Row("no GPU", pod(container())),
    Row("a GPU of 0", pod(container(gpu={GPU: 0}))),
    Row(
        "the pod's own resources decide",
        pod(container(gpu=1), resources={"requests": FULL, "limits": {"memory": "8Gi"}}),
    ),
    Row(
        "and may be wrong",
        pod(container(gpu=1), resources={"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "8Gi"}}),
        (at("/spec/resources/requests/memory", "the pod has a GPU", fix="unsafe"),),
        fixed=pod(container(gpu=1), resources={"requests": {"cpu": 1, "memory": "8Gi"}, "limits": {"memory": "8Gi"}}),
    ),
    Row(
        "in a template",
        template("Deployment", sized({"cpu": 1, "memory": "1Gi"}, {"memory": "2Gi"})),
        (at("/spec/template/spec/containers/0/resources/requests/memory", fix="unsafe"),),
        fixed=template("Deployment", sized({"cpu": 1, "memory": "2Gi"}, {"memory": "2Gi"})),
    ),
    Row("in a template, limits alone", template("Job", sized(limits=FULL), api_version="batch/v1")),
    Row("not valid: the API server says so", pod(sized({"cpu": 1, "memory": "8GB"}, {"memory": "16GB"}))),
    Row("yet to be filled in", template("Job", sized({"cpu": "$CPU", "memory": "$MEM"}, {"memory": "${MEM}"}))),
    Row("more than the limit: the API server refuses it", pod(sized({"cpu": 1, "memory": 2}, {"memory": 1}))),
    Row("a part of a pod", pod({"name": "train", "resources": {"limits": {GPU: 1}}})),
]

SHM = settings(sharedMemory={"size": "16Gi"})
DSHM = {"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}}
MOUNT = {"name": "dshm", "mountPath": "/dev/shm"}


def sharing(gpu=8, volumes=None, mounts=None, make=pod, **spec):
    made = container(gpu=gpu, **({} if mounts is None else {"volumeMounts": mounts}))
    return make(made, **({} if volumes is None else {"volumes": volumes}), **spec)


def job_template(*containers, **spec):
    return template("Job", *containers, api_version="batch/v1", **spec)


DISK = [{"name": "dshm", "emptyDir": {}}]
LACKS = at("/spec/containers/0", "requests 8 GPUs", "64 MiB", "sizeLimit: 16Gi", fix="safe")
MEMORY = [
    Row("nothing mounted", sharing(), (LACKS,), SHM, sharing(volumes=[DSHM], mounts=[MOUNT])),
    Row(
        "other volumes stay",
        sharing(volumes=[{"name": "data", "emptyDir": {}}], mounts=[{"name": "data", "mountPath": "/data"}]),
        (LACKS,),
        SHM,
        sharing(
            volumes=[{"name": "data", "emptyDir": {}}, DSHM], mounts=[{"name": "data", "mountPath": "/data"}, MOUNT]
        ),
    ),
    Row(
        "without a size in the policy the repair is not safe",
        sharing(),
        (LACKS._replace(words=("medium: Memory",), fix="unsafe"),),
        {},
        sharing(volumes=[{"name": "dshm", "emptyDir": {"medium": "Memory"}}], mounts=[MOUNT]),
    ),
    Row(
        "nor beside other containers, which share the same 64 MiB",
        pod(container(gpu=2), container("b")),
        (LACKS._replace(words=("requests 2 GPUs",), fix="unsafe"),),
        SHM,
        pod(container(gpu=2, volumeMounts=[MOUNT]), container("b"), volumes=[DSHM]),
    ),
    Row(
        "two containers get one volume",
        pod(container(gpu=2), container("b", gpu=2)),
        (
            LACKS._replace(words=('"train"',), fix="unsafe"),
            LACKS._replace(pointer="/spec/containers/1", words=('"b"',), fix="unsafe"),
        ),
        SHM,
        pod(container(gpu=2, volumeMounts=[MOUNT]), container("b", gpu=2, volumeMounts=[MOUNT]), volumes=[DSHM]),
    ),
    Row(
        "another volume has the name",
        sharing(volumes=[{"name": "dshm", "configMap": {"name": "c"}}]),
        (LACKS._replace(fix=None),),
        SHM,
    ),
    Row(
        "on disk",
        sharing(volumes=DISK, mounts=[{**MOUNT, "mountPath": "/dev//shm/"}]),
        (at("/spec/containers/0/volumeMounts/0/mountPath", "emptyDir volume on disk", '"dshm"', fix="unsafe"),),
        SHM,
        sharing(
            volumes=[{"name": "dshm", "emptyDir": {"medium": "Memory"}}], mounts=[{**MOUNT, "mountPath": "/dev//shm/"}]
        ),
    ),
    Row(
        "a claim",
        sharing(volumes=[{"name": "dshm", "persistentVolumeClaim": {"claimName": "c"}}], mounts=[MOUNT]),
        (at("/spec/containers/0/volumeMounts/0/mountPath", "a persistentVolumeClaim volume"),),
        SHM,
    ),
    Row("in memory", sharing(volumes=[DSHM], mounts=[MOUNT]), (), SHM),
    Row(
        "the node's own", sharing(volumes=[{"name": "dshm", "hostPath": {"path": "/dev/shm"}}], mounts=[MOUNT]), (), SHM
    ),
    Row("a volume that somebody else adds", sharing(mounts=[MOUNT]), (), SHM),
    Row("hostIPC has the node's", sharing(hostIPC=True), (), SHM),
    Row("one GPU, and no training job", sharing(1), (), SHM),
    Row(
        "one GPU where the policy says so",
        sharing(1),
        (LACKS._replace(words=("requests a GPU",), fix="unsafe"),),
        settings(sharedMemory={"gpus": 1}),
        sharing(1, volumes=[{"name": "dshm", "emptyDir": {"medium": "Memory"}}], mounts=[MOUNT]),
    ),
    Row(
        "one GPU in a pod of a training job",
        owned(sharing(1), "kubeflow.org/v1", "PyTorchJob"),
        (LACKS._replace(words=("training job",)),),
        SHM,
        owned(sharing(1, volumes=[DSHM], mounts=[MOUNT]), "kubeflow.org/v1", "PyTorchJob"),
    ),
    Row("a notebook is no job", owned(sharing(1), "kubeflow.org/v1", "Notebook"), (), SHM),
    Row(
        "in a template",
        sharing(make=job_template),
        (LACKS._replace(pointer="/spec/template/spec/containers/0"),),
        SHM,
        sharing(volumes=[DSHM], mounts=[MOUNT], make=job_template),
    ),
    Row("MIG slices are not cards", sharing({"nvidia.com/mig-1g.10gb": 4}), (), SHM),
    Row("lists that are not lists", sharing(volumes={}, mounts="x"), (LACKS._replace(fix=None),), SHM),
]


ADD = settings(nodes={"add": [{"key": "nvidia.com/gpu.present", "value": "true", "vendors": ["nvidia"]}]})
PRESENT = {"nvidia.com/gpu.present": "true"}


def affine(*terms, preferred=False):
    field = f"{'preferred' if preferred else 'required'}DuringSchedulingIgnoredDuringExecution"
    return {"affinity": {"nodeAffinity": {field: {"nodeSelectorTerms": list(terms)}}}}


def term(key="nvidia.com/gpu.product", operator="In", where="matchExpressions"):
    return {where: [{"key": key, "operator": operator, "values": ["A100"]}]}


NODES = [
    Row("no selector", pod(container(gpu=1)), (at("/spec", "does not select its node", '"nvidia.com/gpu.*"'),)),
    Row(
        "the policy adds one",
        pod(container(gpu=1)),
        (at("/spec", 'nvidia.com/gpu.present: "true"', fix="safe"),),
        ADD,
        pod(container(gpu=1), nodeSelector=PRESENT),
    ),
    Row(
        "beside another label",
        pod(container(gpu=1), nodeSelector={"zone": "a"}),
        (at("/spec/nodeSelector", fix="safe"),),
        ADD,
        pod(container(gpu=1), nodeSelector={"zone": "a", **PRESENT}),
    ),
    Row("another vendor's card", pod(container(gpu={"amd.com/gpu": 1})), (at("/spec"),), ADD),
    *(
        Row(f"selects by {key}", pod(container(gpu=1), nodeSelector={key.replace("*", "x"): "x"}), (), ADD)
        for key in NODE_LABELS
    ),
    Row("by affinity", pod(container(gpu=1), **affine(term())), (), ADD),
    Row("in each term", pod(container(gpu=1), **affine(term(), term(operator="Exists"))), (), ADD),
    Row("in one term of two", pod(container(gpu=1), **affine(term(), term("zone"))), (at("/spec"),)),
    Row("where it does not run", pod(container(gpu=1), **affine(term(operator="NotIn"))), (at("/spec"),)),
    Row("a mere preference", pod(container(gpu=1), **affine(term(), preferred=True)), (at("/spec"),)),
    Row("a daemon's pod", pod(container(gpu=1), **affine(term("metadata.name", where="matchFields"))), (), ADD),
    Row("a node by its name", pod(container(gpu=1), nodeName="n"), (), ADD),
    Row(
        "the policy's labels",
        pod(container(gpu=1), nodeSelector={"pool": "a"}),
        (),
        settings(nodes={"labels": ["po?l"]}),
    ),
    Row(
        "no others then",
        pod(container(gpu=1), nodeSelector=PRESENT),
        (at("/spec/nodeSelector", '"pool"'),),
        settings(nodes={"labels": ["pool"]}),
    ),
    Row(
        "in a template",
        template("Deployment", container(gpu=1)),
        (at("/spec/template/spec", fix="safe"),),
        ADD,
        template("Deployment", container(gpu=1), nodeSelector=PRESENT),
    ),
    Row("by annotation", pod(container(), annotations={"gpu-fraction": "0.5"}), (at("/spec"),)),
    Row(
        "Knative would refuse it", template("Service", container(gpu=1), api_version="serving.knative.dev/v1"), (), ADD
    ),
    Row("no GPU", pod(container()), (), ADD),
    Row("a part of a pod", pod({"name": "a", "resources": {"limits": {GPU: 1}}}), (), ADD),
    Row("not a mapping: the API server refuses it", pod(container(gpu=1), nodeSelector=["x"]), (), ADD),
]

CLASSES = settings(runtimeClasses=["nvidia", "kata-*"])
WRONG = at("/spec/runtimeClassName", '"runc"', "does not allow", "nvidia, kata-*", severity="error")
CLASS = [
    Row("not allowed", pod(container(gpu=1), runtimeClassName="runc"), (WRONG,), CLASSES),
    Row("allowed", pod(container(gpu=1), runtimeClassName="nvidia"), (), CLASSES),
    Row("by a pattern", pod(container(gpu=1), runtimeClassName="kata-gpu"), (), CLASSES),
    Row("none", pod(container(gpu=1)), (), CLASSES),
    Row("no policy", pod(container(gpu=1), runtimeClassName="runc")),
    Row("the policy's own", pod(container(gpu=1), runtimeClassName="gpu"), (), {**CLASSES, "runtimeClassName": "gpu"}),
    Row(
        "none is allowed",
        pod(container(gpu=1), runtimeClassName="x"),
        (WRONG._replace(words=("remove",)),),
        settings(runtimeClasses=[]),
    ),
    Row("no GPU", pod(container(), runtimeClassName="runc"), (), CLASSES),
    Row(
        "in a template",
        template("StatefulSet", container(gpu=1), runtimeClassName="runc"),
        (WRONG._replace(pointer="/spec/template/spec/runtimeClassName"),),
        CLASSES,
    ),
    Row(
        "by annotation",
        pod(container(), annotations={"gpu-fraction": "0.5"}, runtimeClassName="runc"),
        (WRONG,),
        CLASSES,
    ),
    Row("yet to be filled in", pod(container(gpu=1), runtimeClassName="$CLASS"), (), {}),
    Row("no text", pod(container(gpu=1), runtimeClassName=["runc"]), (), CLASSES),
]


def placed(obj, namespace):
    obj["metadata"]["namespace"] = namespace
    return obj


PLACES = settings(namespaces=["ml-*", "research"])
OUTSIDE = at(
    "/spec/containers/0/resources/limits/nvidia.com~1gpu", 'namespace "default"', "ml-*, research", severity="error"
)
NAMESPACE = [
    Row("elsewhere", placed(pod(container(gpu=1)), "default"), (OUTSIDE,), PLACES),
    Row("by name", placed(pod(container(gpu=1)), "research"), (), PLACES),
    Row("by pattern", placed(pod(container(gpu=1)), "ml-a"), (), PLACES),
    Row("a file without a namespace may be for any", pod(container(gpu=1)), (), PLACES),
    Row("no policy", placed(pod(container(gpu=1)), "default")),
    Row("no GPU", placed(pod(container()), "default"), (), PLACES),
    Row(
        "in a template",
        placed(template("Deployment", container(gpu=1)), "default"),
        (OUTSIDE._replace(pointer="/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu"),),
        PLACES,
    ),
    Row(
        "by annotation",
        placed(pod(container(), annotations={"gpu-fraction": "0.5"}), "default"),
        (OUTSIDE._replace(pointer="/metadata"),),
        PLACES,
    ),
    Row(
        "an init container",
        placed(pod(container(), initContainers=[container("i", gpu=1)]), "default"),
        (
            OUTSIDE._replace(
                pointer="/spec/initContainers/0/resources/limits/nvidia.com~1gpu", words=('init container "i"',)
            ),
        ),
        PLACES,
    ),
    Row("one finding a pod", placed(pod(container(gpu=1), container("b", gpu=1)), "default"), (OUTSIDE,), PLACES),
]

TABLES = dict(zip(GUARDRAILS, (HOST, MEMORY, NODES, CLASS, NAMESPACE), strict=True))


@pytest.mark.parametrize(
    ("rule", "row"),
    [(rule, row) for rule, rows in TABLES.items() for row in rows],
    ids=lambda each: getattr(each, "name", each),
)
def test_table(rule, row):
    verify(rule, row)
