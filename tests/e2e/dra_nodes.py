"""Nodes with GPUs as DRA drivers publish them: no kubelet is needed for the scheduler to allocate devices.

Device classes, attributes, capacities and counters are those of kubernetes-sigs/dra-driver-nvidia-gpu
(cmd/gpu-kubelet-plugin: deviceinfo.go, consumable_shares.go, partitions.go; deployments/helm), of
Project-HAMi/k8s-dra-driver (cmd/hami-kubelet-plugin/hami_core.go), ROCm/k8s-gpu-dra-driver
(cmd/gpu-kubeletplugin/deviceinfo.go, helm-charts-k8s) and intel/intel-resource-drivers-for-kubernetes
(cmd/kubelet-gpu-plugin/node_state.go, deployments/gpu).
"""

GPU = "nvidia.com/gpu"
TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}
GI = 2**30
NVIDIA, HAMI = "gpu.nvidia.com", "hami-core-gpu.project-hami.io"
AMD, INTEL = "gpu.amd.com", "gpu.intel.com"


def device_class(name, driver, kind=None, extended=None):
    selector = f"device.driver == '{driver}'"
    selector += f" && device.attributes['{driver}'].type == '{kind}'" if kind else ""
    spec = {"selectors": [{"cel": {"expression": selector}}]}
    if extended:
        spec["extendedResourceName"] = extended
    return {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def profile_class(profile):
    """A class of one MIG profile that the device plugin's name of it stands for (demo/specs/extended-resources)."""
    made = device_class(f"mig-{profile}.example.com", NVIDIA, "mig", f"nvidia.com/mig-{profile}")
    own = {"cel": {"expression": f"device.attributes['{NVIDIA}'].profile == '{profile}'"}}
    made["spec"]["selectors"].append(own)
    return made


CLASSES = (
    device_class("gpu.nvidia.com", NVIDIA, "gpu", GPU),
    device_class("mig.nvidia.com", NVIDIA, "mig"),
    device_class(HAMI, HAMI, "hami-gpu"),
    device_class(AMD, AMD),
    device_class(INTEL, INTEL),
    device_class("gpu-vfio.intel.com", INTEL),
)


def card(minor, memory=80 * GI, shares="disabled"):
    """A whole card, under one of the values of --consumable-shares."""
    made = {
        "name": f"gpu-{minor}",
        "attributes": {
            "type": {"string": "gpu"},
            "uuid": {"string": f"GPU-{minor}"},
            "productName": {"string": "NVIDIA A100-SXM4-80GB"},
        },
        "capacity": {"memory": {"value": str(memory)}},
    }
    if shares != "disabled":
        least = "1Mi" if shares == "memory" else "0"
        made["allowMultipleAllocations"] = True
        made["capacity"]["memory"]["requestPolicy"] = {
            "default": str(memory) if shares == "memory" else "0",
            "validRange": {"min": least, "max": str(memory), "step": "1Mi"},
        }
    if isinstance(shares, int):
        one_of = {"default": "1", "validRange": {"min": "1", "max": str(shares), "step": "1"}}
        made["capacity"]["shares"] = {"value": str(shares), "requestPolicy": one_of}
    return made


def amd_card(index, memory=192 * GI):
    """A whole card of AMD's driver, which is not shared."""
    return {
        "name": f"gpu-{index}-{128 + index}",
        "attributes": {
            "type": {"string": "amdgpu"},
            "pciAddr": {"string": f"0000:{index:02}:00.0"},
            "cardIndex": {"int": index},
            "renderIndex": {"int": 128 + index},
            "deviceID": {"string": str(7_000_000 + index)},
            "family": {"string": "AI"},
            "productName": {"string": "AMD_Instinct_MI300X_OAM"},
            "driverVersion": {"version": "6.12.12"},
            "driverSrcVersion": {"string": "A1B2C3"},
            "partitionProfile": {"string": "spx_nps1"},
            "resource.kubernetes.io/pcieRoot": {"string": f"pci0000:{index:02}"},
        },
        "capacity": {name: {"value": str(value)} for name, value in
                     {"memory": memory, "computeUnits": 304, "simdUnits": 1216}.items()},
    }  # fmt: skip


def amd_partition(index, memory=24 * GI):
    """A partition of a card, of the same class as whole cards."""
    made = amd_card(index, memory)
    left_out = ("pciAddr", "deviceID")
    own = {name: value for name, value in made["attributes"].items() if name not in left_out}
    parent = {"parentPciAddr": {"string": "0000:00:00.0"}, "parentDeviceID": {"string": "7000000"}}
    kind = {"type": {"string": "amdgpu-partition"}, "partitionProfile": {"string": "cpx_nps4"}}
    return {**made, "attributes": {**own, **parent, **kind}}


def intel_card(index, memory=48 * GI):
    """A card of Intel's driver: its memory in MiB, its compute as millicores, neither shared."""
    return {
        "name": f"0000-{index:02}-00-0-0xe20b",
        "attributes": {
            "model": {"string": "Arc Pro B60"},
            "family": {"string": "Arc"},
            "driver": {"string": "xe"},
            "sriov": {"bool": True},
            "type": {"string": "gpu"},
            "pciId": {"string": "0xe20b"},
            "pciAddress": {"string": f"0000:{index:02}:00.0"},
            "health": {"string": "Healthy"},
            "pciRoot": {"string": f"{index:02}"},
            "resource.kubernetes.io/pcieRoot": {"string": f"pci0000:{index:02}"},
            "resource.kubernetes.io/pciBusID": {"string": f"0000:{index:02}:00.0"},
        },
        "capacity": {"memory": {"value": f"{memory >> 20}Mi"}, "millicores": {"value": "1k"}},
    }


def hami_card(minor, memory=80 * GI):
    """A card of HAMi's driver: memory in bytes, cores in percent, all of both where nothing is requested."""
    cores = {"default": "100", "validRange": {"min": "0", "max": "100", "step": "1"}}
    bytes_ = {"default": str(memory), "validRange": {"min": "1Mi", "max": str(memory), "step": "1Mi"}}
    return {
        "name": f"hami-gpu-{minor}",
        "attributes": {
            "type": {"string": "hami-gpu"},
            "uuid": {"string": f"GPU-{minor}"},
            "minor": {"int": minor},
            "productName": {"string": "NVIDIA A100-SXM4-80GB"},
            "brand": {"string": "Nvidia"},
            "architecture": {"string": "Ampere"},
            "cudaComputeCapability": {"version": "8.0.0"},
            "driverVersion": {"version": "570.86.15"},
            "cudaDriverVersion": {"version": "12.8.0"},
            "pcieBusID": {"string": f"0000:{minor:02}:00.0"},
            "resource.kubernetes.io/pcieRoot": {"string": f"pci0000:{minor:02}"},
        },
        "allowMultipleAllocations": True,
        "capacity": {
            "cores": {"value": "100", "requestPolicy": cores},
            "memory": {"value": str(memory), "requestPolicy": bytes_},
        },
    }


def partitioned(minor, profiles):
    """A card and what it can be cut into, which draw on counters that they share.

    ``profiles`` are tuples of name, memory, and the memory slices that each placement takes, of eight.
    """
    counters = f"gpu-{minor}-counter-set"

    def drawing(slices):
        return [{"counterSet": counters, "counters": {f"memory-slice-{number}": {"value": "1"} for number in slices}}]

    whole = {**card(minor), "consumesCounters": drawing(range(8))}
    parts = [
        {
            "name": f"gpu-{minor}-mig-{name.replace('.', '-').replace('+', '-')}-{start}",
            "attributes": {
                "type": {"string": "mig"},
                "profile": {"string": name},
                "parentUUID": {"string": f"GPU-{minor}"},
            },
            "capacity": {"memory": {"value": str(memory)}},
            "consumesCounters": drawing(range(start, start + size)),
        }
        for name, memory, size, starts in profiles
        for start in starts
    ]
    shared = {"name": counters, "counters": {f"memory-slice-{number}": {"value": "1"} for number in range(8)}}
    return [whole, *parts], [shared]


def publish(api, node, devices, counters=(), driver=NVIDIA):
    """Make a tainted node that is ready, and publish its devices; the counters stand in a slice of their own."""
    meta = {"name": node, "labels": {"kubernetes.io/hostname": node}}
    made = api.create({"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {"taints": [TAINT]}}, None)
    assert made.status == 201, made
    room = {"cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti"}
    ready = {"type": "Ready", "status": "True", "reason": "Fake", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
    status = {"capacity": room, "allocatable": room, "conditions": [ready]}
    assert api.patch(f"/api/v1/nodes/{node}/status", {"status": status}).status == 200
    contents = [{"devices": list(devices)}] + ([{"sharedCounters": list(counters)}] if counters else [])
    for number, content in enumerate(contents):
        pool = {"name": node, "generation": 1, "resourceSliceCount": len(contents)}
        spec = {"driver": driver, "nodeName": node, "pool": pool, **content}
        slice_ = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "spec": spec}
        made = api.create({**slice_, "metadata": {"name": f"{node}-{number}"}}, None, fieldValidation="Strict")
        assert made.status == 201, made


def remove(api, node):
    """Take a node and its devices away."""
    for number in range(2):
        api.delete(f"/apis/resource.k8s.io/v1/resourceslices/{node}-{number}")
    api.delete(f"/api/v1/nodes/{node}")
