"""The components that GPU systems run on a cluster: namespaces, service accounts and images.

Device plugins, drivers and schedulers mount devices and set NVIDIA_VISIBLE_DEVICES as part of their work, and
schedulers write what GPU307 refuses to users. Each shipped policy exempts only those of its own backend and of the
vendors that the backend serves, because **a namespace that does not exist is exempt for whoever creates it**.
"""

from __future__ import annotations

from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .base import Backend

ALWAYS = (("kube-system", "Kubernetes itself"), ("gpu-admission", "this webhook"))
_ACCOUNT = "system:serviceaccount:"


@record
class Component:
    """One part of a system.

    ``namespaces`` are those that its own installation makes for it (pods there are created by Kubernetes' controllers,
    so nothing narrower than the namespace covers them); ``accounts`` (``NAMESPACE:NAME``) the service accounts that
    write on pods of users, or create its pods themselves, and never one that creates pods of users. ``images`` are
    repositories, ``/*`` for all below one; ``elsewhere`` namespaces in which people run it beside other things, and
    which therefore are not exempt. ``operands`` are the service accounts of the DaemonSets that its operator makes, by
    which their templates are recognised: the operator fills in namespace and images. ``source`` is where these facts
    were read.
    """

    name: str
    source: str
    namespaces: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()

    @property
    def users(self) -> tuple[str, ...]:
        """Its accounts as user names in admission requests."""
        return tuple(_ACCOUNT + account for account in self.accounts)


# By vendor of the cards, as ``workloads/resources.py`` names them.
OF_VENDOR: dict[str, tuple[Component, ...]] = {
    "nvidia": (
        Component(
            "NVIDIA GPU Operator",
            source="NVIDIA/gpu-operator: deployments/gpu-operator/values.yaml, bundle (OpenShift), assets",
            namespaces=("gpu-operator", "nvidia-gpu-operator"),
            images=(
                "nvcr.io/nvidia/gpu-operator",
                "nvcr.io/nvidia/driver",
                "nvcr.io/nvidia/k8s/container-toolkit",
                "nvcr.io/nvidia/cloud-native/*",
            ),
            operands=(
                "nvidia-cc-manager",
                "nvidia-container-toolkit",
                "nvidia-dcgm",
                "nvidia-dcgm-exporter",
                "nvidia-device-plugin",
                "nvidia-driver",
                "nvidia-gpu-feature-discovery",
                "nvidia-kata-manager",
                "nvidia-kata-sandbox-device-plugin",
                "nvidia-mig-manager",
                "nvidia-node-status-exporter",
                "nvidia-operator-validator",
                "nvidia-sandbox-device-plugin",
                "nvidia-sandbox-validator",
                "nvidia-vfio-manager",
                "nvidia-vgpu-device-manager",
                "nvidia-vgpu-manager",
            ),
        ),
        Component(
            "NVIDIA device plugin",
            source="NVIDIA/k8s-device-plugin: README.md; MicrosoftDocs/azure-aks-docs: use-nvidia-gpu (gpu-resources)",
            namespaces=("nvidia-device-plugin", "gpu-resources"),
            images=("nvcr.io/nvidia/k8s-device-plugin", "docker.io/nvidia/k8s-device-plugin"),
        ),
        Component(
            "GPU Feature Discovery",
            source="NVIDIA/k8s-device-plugin: docs/gpu-feature-discovery, deployments/static",
            namespaces=("gpu-feature-discovery", "node-feature-discovery"),
            images=("nvcr.io/nvidia/gpu-feature-discovery",),
        ),
        Component(
            "NVIDIA DRA driver",
            source="kubernetes-sigs/dra-driver-nvidia-gpu: site/content/docs/install.md; before 0.5 another namespace",
            namespaces=("dra-driver-nvidia-gpu", "nvidia-dra-driver-gpu"),
            images=("registry.k8s.io/dra-driver-nvidia/dra-driver-nvidia-gpu", "nvcr.io/nvidia/k8s-dra-driver-gpu"),
        ),
        Component(
            "DCGM exporter",
            source="NVIDIA/dcgm-exporter: README.md; Google Cloud Managed Service for Prometheus: DCGM (gmp-public)",
            namespaces=("gmp-public",),
            images=("nvcr.io/nvidia/k8s/dcgm-exporter", "docker.io/nvidia/dcgm-exporter"),
            elsewhere=("monitoring",),
        ),
    ),
    "amd": (
        Component(
            "AMD GPU Operator",
            source="ROCm/gpu-operator: docs/installation; ROCm/k8s-device-plugin: k8s-ds-amdgpu-dp.yaml",
            namespaces=("kube-amd-gpu", "amd-gpu-operator"),
            images=(
                "docker.io/rocm/gpu-operator",
                "docker.io/rocm/k8s-device-plugin",
                "docker.io/rocm/device-metrics-exporter",
            ),
        ),
    ),
    "intel": (
        Component(
            "Intel device plugins",
            source="intel/intel-device-plugins-for-kubernetes: INSTALL.md, cmd/gpu_plugin/README.md",
            namespaces=("inteldeviceplugins-system", "intel-gpu-plugin"),
            images=("docker.io/intel/intel-gpu-plugin", "docker.io/intel/intel-gpu-initcontainer"),
        ),
        Component(
            "Habana device plugin",
            source="HabanaAI/habanalabs-k8s-device-plugin: habanalabs-device-plugin.yaml",
            namespaces=("habana-system",),
            images=("vault.habana.ai/docker-k8s-device-plugin/docker-k8s-device-plugin",),
        ),
    ),
    "aws": (
        Component(
            "Neuron DRA driver",
            source="aws-neuron/neuron-helm-charts: charts/neuron-helm-chart/values.yaml",
            namespaces=("neuron-dra-driver",),
            images=("public.ecr.aws/neuron/neuron-dra-driver", "public.ecr.aws/neuron/neuron-device-plugin"),
        ),
    ),
    "biren": (
        Component(
            "Biren device plugin",
            source="Project-HAMi/HAMi: docs/biren-gpu-support.md",
            namespaces=("biren-gpu",),
            images=("docker.io/projecthami/biren-device-plugin",),
        ),
    ),
}


def served_by(backend: Backend) -> tuple[Component, ...]:
    """Return the components of a cluster with this backend: its own, and those of the vendors that it serves."""
    return (*backend.components, *(part for vendor in backend.vendors for part in OF_VENDOR[vendor]))


def exemptions(backend: Backend) -> tuple[dict[str, str], dict[str, str]]:
    """Return the namespaces and users that a policy of this backend exempts: name -> description."""
    namespaces: dict[str, str] = dict(ALWAYS)
    users: dict[str, str] = {}
    for part in served_by(backend):
        for namespace in part.namespaces:
            namespaces.setdefault(namespace, part.name)
        for user in part.users:
            users.setdefault(user, part.name)
    return namespaces, users


def recognised(images: Iterable[str], namespace: str | None, parts: Iterable[Component]) -> Component | None:
    """Return the component all of whose images these are, None where they are anything else.

    ``namespace`` is the manifest's: without one it may be applied to the component's, with another it is not. For files
    only: at admission a pod may name any image.
    """
    repositories = {repository(image) for image in images}
    for part in parts:
        if namespace is not None and namespace not in (*part.namespaces, *part.elsewhere):
            continue
        if repositories and all(any(_covers(known, each) for known in part.images) for each in repositories):
            return part
    return None


def repository(image: str) -> str:
    """Return an image's repository with its registry, without tag and digest: ``docker.io/rocm/k8s-device-plugin``."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name if slash else f"library/{name}"
    path, colon, _ = rest.rpartition(":")
    return f"{first}/{path if colon else rest}"


def _covers(known: str, found: str) -> bool:
    return found.startswith(known[:-1]) if known.endswith("/*") else found == known


def every(backends: Iterable[Backend]) -> Iterator[Component]:
    """Yield every component of every vendor and of these backends, each once."""
    seen: set[str] = set()
    for parts in (*OF_VENDOR.values(), *(backend.components for backend in backends)):
        for part in parts:
            if part.name not in seen:
                seen.add(part.name)
                yield part
