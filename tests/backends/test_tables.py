"""How each backend translates a request: exact pods, written from the facts about each system."""

import pytest
from backends.sharing import CORE, COUNT, MEM, admitted, pod, policy, resources

GPU = "nvidia.com/gpu"


# policy, limits as written -> limits as they arrive
WRITTEN = [
    # exclusive
    (policy("exclusive", ["A100-40"]), {MEM: "8Gi"}, {GPU: 1}),
    (policy("exclusive", ["A100-40"]), {MEM: "8Gi", COUNT: "2"}, {GPU: 2}),
    (policy("exclusive", ["A100-40"]), {MEM: "8Gi", CORE: "100"}, {GPU: 1}),
    (policy("exclusive"), {COUNT: "4"}, {GPU: 4}),
    (policy("exclusive", vendor="amd"), {COUNT: "2"}, {"amd.com/gpu": 2}),
    (policy("exclusive", vendor="intel"), {COUNT: "1"}, {"gpu.intel.com/i915": 1}),
    (policy("exclusive", vendor="intel", resource="gpu.intel.com/xe"), {COUNT: "1"}, {"gpu.intel.com/xe": 1}),
    (policy("exclusive", vendor="amd", resource="amd.com/cpx_nps4"), {COUNT: "3"}, {"amd.com/cpx_nps4": 3}),
    (policy("exclusive", [{"model": "MI300X", "memory": "192Gi"}], vendor="amd"), {MEM: "64Gi"}, {"amd.com/gpu": 1}),
    # time-slicing and MPS
    (policy("time-slicing"), {MEM: "8Gi"}, {GPU: 1}),
    (policy("time-slicing", renameByDefault=True), {MEM: "8Gi"}, {"nvidia.com/gpu.shared": 1}),
    (policy("mps"), {MEM: "20Gi"}, {GPU: 1}),
    (policy("mps"), {MEM: "8Gi", CORE: "25"}, {GPU: 1}),
    (policy("mps", renameByDefault=True), {MEM: "20Gi"}, {"nvidia.com/gpu.shared": 1}),
    # MIG: by usable memory, not by name
    (policy("mig", ["A100-80"]), {MEM: "9.5Gi"}, {"nvidia.com/mig-1g.10gb": 1}),
    (policy("mig", ["A100-80"]), {MEM: "10Gi"}, {"nvidia.com/mig-1g.20gb": 1}),
    (policy("mig", ["A100-80"]), {MEM: "16Gi"}, {"nvidia.com/mig-1g.20gb": 1}),
    (policy("mig", ["A100-80"]), {MEM: "16Gi", CORE: "25"}, {"nvidia.com/mig-2g.20gb": 1}),
    (policy("mig", ["A100-80"]), {MEM: "8Gi", CORE: "14"}, {"nvidia.com/mig-1g.10gb": 1}),
    (policy("mig", ["A100-80"]), {MEM: "8Gi", CORE: "15"}, {"nvidia.com/mig-2g.20gb": 1}),
    (policy("mig", ["A100-80"]), {MEM: "8Gi", CORE: "100"}, {"nvidia.com/mig-7g.80gb": 1}),
    (policy("mig", ["H200-141"]), {MEM: "16Gi"}, {"nvidia.com/mig-1g.18gb": 1}),
    (policy("mig", ["A30-24"]), {MEM: "5Gi", CORE: "50"}, {"nvidia.com/mig-2g.12gb": 1}),
    (policy("mig", ["A100-40"]), {"aliyun.com/gpu-mem": "3"}, {"nvidia.com/mig-1g.5gb": 1}),
    (policy("mig", ["A100-40", "A100-80"]), {MEM: "9830Mi"}, {"nvidia.com/mig-2g.10gb": 1}),
    (policy("mig", ["A100-80"]), {COUNT: "2"}, {GPU: 2}),
    (policy("mig", ["A100-80"], allowSeveral=True), {MEM: "8Gi", COUNT: "2"}, {"nvidia.com/mig-1g.10gb": 2}),
    # gpushare
    (policy("gpushare"), {MEM: "8Gi"}, {"aliyun.com/gpu-mem": 8}),
    (policy("gpushare"), {MEM: "8000M"}, {"aliyun.com/gpu-mem": 8}),
    (policy("gpushare", unit="MiB"), {MEM: "8Gi"}, {"aliyun.com/gpu-mem": 8192}),
    (policy("gpushare"), {"volcano.sh/gpu-memory": "5000"}, {"aliyun.com/gpu-mem": 5}),
    (policy("gpushare", ["A100-80"]), {MEM: "80Gi"}, {"aliyun.com/gpu-mem": 80}),
    # Volcano, legacy
    (policy("volcano"), {MEM: "2Gi"}, {"volcano.sh/gpu-memory": 2048}),
    (policy("volcano", memoryFactor=10), {MEM: "2Gi"}, {"volcano.sh/gpu-memory": 205}),
    (policy("volcano", mode="number"), {COUNT: "2"}, {"volcano.sh/gpu-number": 2}),
    (policy("volcano", mode="number"), {GPU: "2"}, {"volcano.sh/gpu-number": 2}),
    (policy("volcano", mode="number"), {COUNT: "2", CORE: "100"}, {"volcano.sh/gpu-number": 2}),
    # Volcano vGPU
    (policy("volcano-vgpu"), {MEM: "8Gi"}, {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192}),
    (
        policy("volcano-vgpu"),
        {MEM: "8Gi", COUNT: "2", CORE: "30"},
        {"volcano.sh/vgpu-number": 2, "volcano.sh/vgpu-memory": 8192, "volcano.sh/vgpu-cores": 30},
    ),
    (policy("volcano-vgpu"), {COUNT: "2"}, {"volcano.sh/vgpu-number": 2}),
    (policy("volcano-vgpu"), {GPU: "2"}, {"volcano.sh/vgpu-number": 2}),
    (
        policy("volcano-vgpu"),
        {"aliyun.com/gpu-mem": "3"},
        {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 3072},
    ),
    (
        policy("volcano-vgpu", memoryFactor=1024),
        {MEM: "1500Mi"},
        {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 2},
    ),
    # a card rounded down to whole units: all of it is requested as a whole card
    (
        policy("volcano-vgpu", [{"model": "H100-80", "memory": "81559Mi"}], memoryFactor=1024),
        {MEM: "81559Mi"},
        {"volcano.sh/vgpu-number": 1},
    ),
    # HAMi
    (policy("hami"), {MEM: "8Gi"}, {GPU: 1, "nvidia.com/gpumem": 8192}),
    (policy("hami"), {MEM: "8Gi", CORE: "30"}, {GPU: 1, "nvidia.com/gpumem": 8192, "nvidia.com/gpucores": 30}),
    (policy("hami"), {"aliyun.com/gpu-mem": "3"}, {GPU: 1, "nvidia.com/gpumem": 3072}),
    (policy("hami", memoryFactor=256), {MEM: "1Gi"}, {GPU: 1, "nvidia.com/gpumem": 4}),
    (
        policy("hami", ["A100-80"]),
        {"nvidia.com/mig-1g.10gb": "1"},
        {GPU: 1, "nvidia.com/gpumem": 9728, "nvidia.com/gpucores": 15},
    ),
    # a MIG name without the policy's cards: the least that any card gives it
    (
        policy("hami"),
        {"nvidia.com/mig-3g.20gb": "1"},
        {GPU: 1, "nvidia.com/gpumem": 19968, "nvidia.com/gpucores": 43},
    ),
    # KAI: whole cards stay among the resources
    (policy("kai"), {COUNT: "2"}, {GPU: 2}),
    (policy("kai", ["A100-80"]), {MEM: "80Gi"}, {GPU: 1}),
    # Koordinator: totals
    (policy("koordinator"), {MEM: "8Gi"}, {"koordinator.sh/gpu.shared": 1, "koordinator.sh/gpu-memory": "8Gi"}),
    (
        policy("koordinator"),
        {MEM: "8Gi", COUNT: "2", CORE: "30"},
        {"koordinator.sh/gpu.shared": 2, "koordinator.sh/gpu-memory": "16Gi", "koordinator.sh/gpu-core": 60},
    ),
    (policy("koordinator"), {COUNT: "2"}, {GPU: 2}),
    # every native form as a source
    (
        policy("hami"),
        {"volcano.sh/vgpu-number": "2", "volcano.sh/vgpu-memory": "4096", "volcano.sh/vgpu-cores": "50"},
        {GPU: 2, "nvidia.com/gpumem": 4096, "nvidia.com/gpucores": 50},
    ),
    (policy("hami"), {"volcano.sh/vgpu-number": "2"}, {GPU: 2}),
    (policy("hami"), {"volcano.sh/gpu-memory": "2048"}, {GPU: 1, "nvidia.com/gpumem": 2048}),
    (policy("hami"), {"volcano.sh/gpu-number": "2"}, {GPU: 2}),
    (
        policy("hami"),
        {"koordinator.sh/gpu.shared": "2", "koordinator.sh/gpu-memory": "16Gi", "koordinator.sh/gpu-core": "60"},
        {GPU: 2, "nvidia.com/gpumem": 8192, "nvidia.com/gpucores": 30},
    ),
    (policy("hami"), {"koordinator.sh/gpu": "200"}, {GPU: 2, "nvidia.com/gpucores": 100}),
    (
        policy("hami", ["A100-80"]),
        {"koordinator.sh/gpu-core": "50", "koordinator.sh/gpu-memory-ratio": "50"},
        {GPU: 1, "nvidia.com/gpumem": 40960, "nvidia.com/gpucores": 50},
    ),
    (
        policy("volcano-vgpu"),
        {GPU: "1", "nvidia.com/gpumem": "3000", "nvidia.com/gpucores": "30"},
        {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 3000, "volcano.sh/vgpu-cores": 30},
    ),
    (
        policy("volcano-vgpu", ["A100-40"]),
        {GPU: "1", "nvidia.com/gpumem-percentage": "50"},
        {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 20480},
    ),
    (
        policy("hami"),
        {"aliyun.com/gpu-mem": "4", "aliyun.com/gpu-core.percentage": "20"},
        {GPU: 1, "nvidia.com/gpumem": 4096, "nvidia.com/gpucores": 20},
    ),
]


@pytest.mark.parametrize(("target", "written", "arrives"), WRITTEN)
def test_what_is_written_arrives_in_the_words_of_the_backend(target, written, arrives):
    after, findings = admitted(target, pod(written))
    assert resources(after) == arrives
    assert [finding for finding in findings if finding.severity == "error"] == []
    again, _ = admitted(target, after)
    assert again == after


# requests in a backend's own names: unchanged
NATIVE = [
    (policy("exclusive"), {GPU: "2"}),
    (policy("exclusive"), {"amd.com/gpu": "1"}),
    (policy("exclusive"), {"amd.com/cpx_nps4": "4"}),
    (policy("exclusive"), {"gpu.intel.com/xe": "1"}),
    (policy("exclusive"), {"nvidia.com/mig-1g.10gb": "1"}),
    (policy("exclusive"), {"nvidia.com/gpu.shared": "1"}),
    (policy("time-slicing"), {GPU: "1"}),
    (policy("time-slicing"), {"nvidia.com/gpu.shared": "1"}),
    (policy("time-slicing", renameByDefault=True), {"nvidia.com/gpu.shared": "1"}),
    (policy("time-slicing", renameByDefault=True), {GPU: "8"}),
    (policy("mps"), {GPU: "1"}),
    (policy("mig"), {"nvidia.com/mig-1g.10gb": "1"}),
    (policy("mig"), {"nvidia.com/mig-1g.10gb.me": "1"}),
    (policy("mig"), {GPU: "8"}),
    (policy("gpushare"), {"aliyun.com/gpu-mem": "3"}),
    (policy("gpushare"), {GPU: "1"}),
    (policy("dra"), {GPU: "1"}),
]
SCHEDULED = [
    (policy("volcano"), "volcano", {"volcano.sh/gpu-memory": "2048"}),
    (policy("volcano", mode="number"), "volcano", {"volcano.sh/gpu-number": "2"}),
    (policy("volcano-vgpu"), "volcano", {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory": "3000"}),
    (policy("hami"), "hami-scheduler", {GPU: "1", "nvidia.com/gpumem": "3000", "nvidia.com/gpucores": "30"}),
    (policy("hami"), "hami-scheduler", {GPU: "1", "nvidia.com/gpumem-percentage": "50"}),
    (policy("hami"), "hami-scheduler", {GPU: "2"}),
    (
        policy("koordinator"),
        "koord-scheduler",
        {"koordinator.sh/gpu-core": "50", "koordinator.sh/gpu-memory-ratio": "50"},
    ),
    (policy("koordinator"), "koord-scheduler", {GPU: "1"}),
]


@pytest.mark.parametrize(("target", "written"), NATIVE)
def test_the_backends_own_words_are_left_exactly_as_they_are(target, written):
    before = pod(written)
    assert admitted(target, before) == (before, [])


@pytest.mark.parametrize(("target", "scheduler", "written"), SCHEDULED)
def test_own_words_with_the_backends_scheduler_are_left_too(target, scheduler, written):
    before = pod(written, schedulerName=scheduler)
    assert admitted(target, before) == (before, [])
    after, _ = admitted(target, pod(written))
    assert after == before


# policy, limits -> the one rule with a finding, and a part of its message
REFUSED = [
    (policy("exclusive"), {MEM: "8Gi", CORE: "30"}, "GPU102", "30 percent of a GPU's compute"),
    (policy("exclusive", vendor="amd"), {MEM: "8Gi"}, "GPU102", "no node label shows"),
    (policy("exclusive", ["A100-40"]), {MEM: "64Gi"}, "GPU105", "A100-40, has 40Gi"),
    (policy("time-slicing"), {MEM: "8Gi", COUNT: "2"}, "GPU104", "2 shares"),
    (policy("time-slicing", failRequestsGreaterThanOne=True), {GPU: "2"}, "GPU104", "2 shares"),
    (policy("time-slicing", failRequestsGreaterThanOne=True), {"nvidia.com/gpu.shared": "2"}, "GPU104", "2 shares"),
    (policy("mps"), {"nvidia.com/gpu.shared": "2"}, "GPU104", "2 shares"),
    (policy("time-slicing", memory="refuse"), {MEM: "8Gi"}, "GPU102", "does not limit memory"),
    (policy("time-slicing"), {MEM: "8Gi", CORE: "30"}, "GPU102", "guarantees no part"),
    (policy("time-slicing"), {COUNT: "1"}, "GPU102", "a whole GPU"),
    (policy("mps"), {MEM: "21Gi"}, "GPU102", "a share of a card is 20Gi here (80Gi in 4 shares)"),
    (policy("mps"), {MEM: "8Gi", CORE: "26"}, "GPU102", "a share has 25"),
    (policy("mps"), {GPU: "2"}, "GPU104", "2 shares"),
    (policy("mps"), {CORE: "20"}, "GPU102", "no amount of memory"),
    (policy("mig"), {MEM: "79Gi"}, "GPU105", "7g.80gb, has 78.5Gi usable"),
    (policy("mig"), {MEM: "90Gi"}, "GPU105", "A100-80, has 80Gi"),
    (policy("mig"), {MEM: "8Gi", COUNT: "2"}, "GPU102", "a CUDA process sees only one"),
    (policy("mig"), {"nvidia.com/mig-1g.10gb": "2"}, "GPU102", "a CUDA process sees only one"),
    (policy("mig"), {"nvidia.com/mig-1g.5gb": "1"}, "GPU102", "no card of this cluster offers"),
    (policy("gpushare"), {MEM: "8Gi", COUNT: "2"}, "GPU102", "gives a container one GPU"),
    (policy("gpushare"), {MEM: "8Gi", CORE: "30"}, "GPU102", "shares memory only"),
    (policy("gpushare"), {MEM: "8Gi", CORE: "100"}, "GPU102", "shares memory only"),
    (policy("time-slicing"), {MEM: "8Gi", CORE: "100"}, "GPU102", "guarantees no part"),
    (policy("kai"), {MEM: "8Gi", CORE: "100"}, "GPU102", "shares memory only"),
    (policy("gpushare"), {COUNT: "1"}, "GPU102", "cannot express"),
    (policy("gpushare", [{"model": "x", "memory": "81559Mi"}]), {MEM: "79.5Gi"}, "GPU102", "counts 79 on a card"),
    (policy("gpushare", ["A100-40"]), {"aliyun.com/gpu-mem": "41"}, "GPU105", "A100-40, has 40Gi"),
    (policy("gpushare"), {"nvidia.com/mig-1g.10gb": "1"}, "GPU102", "15 percent"),
    (policy("volcano"), {MEM: "8Gi", COUNT: "2"}, "GPU102", "gives a container one GPU"),
    (policy("volcano"), {COUNT: "1"}, "GPU102", "shares cards by memory here"),
    (policy("volcano"), {MEM: "8Gi", CORE: "30"}, "GPU102", "shares memory only"),
    (policy("volcano-vgpu"), {MEM: "8Gi", CORE: "130"}, "GPU108", "130 percent"),
    (policy("volcano-vgpu", ["A100-40"]), {MEM: "41Gi"}, "GPU105", "A100-40, has 40Gi"),
    (
        policy("volcano-vgpu"),
        {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory-percentage": "50"},
        "GPU102",
        "does not work in any release",
    ),
    (policy("hami"), {GPU: "1", "nvidia.com/gpucores": "150"}, "GPU108", "150 percent"),
    (
        policy("hami"),
        {GPU: "1", "nvidia.com/gpumem": "3000", "nvidia.com/gpumem-percentage": "50"},
        "GPU102",
        "uses only one of them",
    ),
    (policy("hami", ["A100-40"]), {GPU: "1", "nvidia.com/gpumem": "65536"}, "GPU105", "64Gi on one GPU"),
    (
        policy("hami"),
        {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory-percentage": "50"},
        "GPU102",
        "a part of a card",
    ),
    (policy("hami"), {"nvidia.com/gpu.shared": "1"}, "GPU102", "whose size only the cluster it was written for knows"),
    (policy("kai"), {MEM: "8Gi", CORE: "30"}, "GPU102", "shares memory only"),
    (policy("koordinator"), {CORE: "30"}, "GPU102", "no amount of memory"),
    (policy("dra", template=None), {MEM: "8Gi"}, "GPU102", "names no ResourceClaimTemplate"),
    (policy("dra"), {MEM: "8Gi", CORE: "30"}, "GPU102", "what a claim gives is set by its template"),
]


@pytest.mark.parametrize(("target", "written", "rule", "said"), REFUSED)
def test_what_cannot_be_honoured_is_refused_with_the_reason_and_nothing_is_written(target, written, rule, said):
    scheduler = {"hami": "hami-scheduler", "kai": "kai-scheduler"}.get(target.backend.name)
    before = pod(written, schedulerName=scheduler) if scheduler else pod(written)
    after, findings = admitted(target, before)
    assert [finding.rule for finding in findings if finding.rule != "GPU202"] == [rule]
    assert said in findings[0].message
    assert findings[0].advice
    assert after["spec"]["containers"] == before["spec"]["containers"]
    assert after["metadata"] == before["metadata"]
