"""The documentation of claims (a section of ``docs/backends.md``)."""

from __future__ import annotations

from .base import BackendDocs

SHARE = """\
spec:
  spec:
    devices:
      requests:
      - name: gpu
        exactly:
          deviceClassName: gpu.nvidia.com
          count: 1
          selectors:
          - cel:
              expression: device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('8Gi')) >= 0
          capacity:
            requests:
              memory: 8Gi
"""

PAGE = BackendDocs(
    summary=f"""\
A pod refers to resource claims, which Kubernetes makes from a ResourceClaimTemplate that exists in its namespace: one
claim a GPU, of the `template` that the policy names. What a claim gives depends on the template, which admission can
neither create nor read. With `templatePerRequest` a container has one claim, of a template that is named after what it
gives: `gpu`, `gpu-2x`, `gpu-8gi`, `gpu-2x-8gi`, `gpu-8gi-30pct`, `gpu-mig-1g.12gb`, `gpu-share`. `gpu-admission
translate --to dra` writes that into files, and prints each template once; create them in every namespace that uses
GPUs. The one for `gpu-mem: 8Gi` is `gpu-8gi`:

```yaml
{SHARE}```

A device that several claims may share reserves the memory; one that is allocated whole must have it. That depends on
the driver's configuration, which the policy repeats:

- `deviceClass` and `driver`: the DeviceClass of GPUs, and the driver that serves it (`nvidia`, `amd`, `intel`, `hami`).
AMD's whole cards are selected by their type, because the class has partitions too; HAMi's driver accepts `cores`.
- `migDeviceClass`: the DeviceClass of MIG devices, which are selected by their profile.
- `consumableShares`: NVIDIA's driver runs with `--consumable-shares`, `memory`, `unlimited` or a number (`count`, which
  `sharesPerDevice` gives). A whole GPU takes all shares of one; where they are unlimited, no GPU can be allocated
  exclusively.
- `sharing`: NVIDIA's driver has its gate `TimeSlicingSettings` (`time-slicing`, with `timeSlice`) or `MPSSupport`
  (`mps`) on. Shares then have its configuration: the length of a time slice, or limits of memory and threads.

Several GPUs with a share of memory on each become as many requests with a `distinctAttribute` constraint: requests of a
claim may share a card, and the API does not promise that a count is allocated from several.

The driver's time slices and MPS apply to pods of the *same* claim: `translate --to dra --claims` prints one
ResourceClaim per workload instead of templates, which reserves the memory of all pods that run at once.

`translate` also converts claims for other backends, where the template is among the inputs.""",
    refuses=(
        (
            "a percentage of compute",
            "the template defines what a claim gives; HAMi's driver and MPS limit it, where the policy has them",
        ),
        (
            "in `translate`: shares of MIG devices, and time-sliced shares where the policy has no `sharing`",
            "elsewhere they are left to the device plugin: a claim of a whole device is a different request",
        ),
        (
            "in `translate`: whole GPUs and MIG devices, where `consumableShares` is `unlimited`",
            "every claim is shared",
        ),
        ("names of NVIDIA's device plugin, where the class is another vendor's", "that has no such devices"),
        ("more than 64 GPUs for a container or 128 for a pod", "all claims of a pod are met on one node"),
        ("in `translate`: more than 32 GPUs for a container", "Kubernetes allocates at most 32 devices to a claim"),
        (
            "with `--claims`: exclusive devices, and pods of DaemonSets and kinds of unknown size",
            "pods that share a claim share its devices, on one node",
        ),
        (
            (
                "from claims: `firstAvailable`, `All`, `adminAccess`, `matchAttribute`, selectors of other things than "
                "memory and MIG profiles, configuration of other drivers, claims that are shared by name"
            ),
            "no other backend can express it",
        ),
        ("templates of Knative services", "Knative refuses resource claims; their pods are translated all the same"),
        ("any request, where the policy names no `template`", "admission does not create claims"),
    ),
    install="""\
Kubernetes 1.34 or newer with NVIDIA's DRA driver (namespace `dra-driver-nvidia-gpu`, before release 0.5
`nvidia-dra-driver-gpu`; the shipped policy exempts both). Cards are shared by claims since 1.36; before that the API
server's and the scheduler's gate `DRAConsumableCapacity` has to be on, and NVIDIA's driver needs its own,
`ConsumableShares`. Create the template in every namespace that uses GPUs. Where a DeviceClass serves `nvidia.com/gpu`
or a MIG name (`extendedResourceName`), pods can keep requesting that.""",
    traps=(
        (
            "A template with a selector of memory and no `capacity` takes all of a card that is shared by memory, and "
            "reserves nothing of one that is shared without a limit."
        ),
        "API servers before 1.36 drop `capacity` silently, hence the selector beside it.",
        "NVIDIA's driver does not run MPS together with `--consumable-shares`.",
        "A template is looked up in the pod's namespace: where it is missing, the pod waits.",
        "Intel's driver publishes 0 memory until xpumd reports more: until then a claim with an amount waits.",
        (
            "Quotas on `requests.nvidia.com/gpu` do not count claims; use a quota on "
            "`gpu.nvidia.com.deviceclass.resource.k8s.io/devices`."
        ),
    ),
    sources=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
        "kubernetes-sigs/dra-driver-nvidia-gpu: demo/specs/quickstart, demo/specs/consumable-shares",
        "kubernetes-sigs/dra-driver-nvidia-gpu: cmd/gpu-kubelet-plugin, site/content/docs/install.md",
        "ROCm/k8s-gpu-dra-driver: docs/driver-attributes.md",
        "intel/intel-resource-drivers-for-kubernetes: doc/gpu/USAGE.md",
        "Project-HAMi/k8s-dra-driver: cmd/hami-kubelet-plugin/hami_core.go",
        "kubernetes/api: resource/v1/types.go (AllocationResultsMaxSize, ResourceClaimReservedForMaxSize)",
    ),
)
