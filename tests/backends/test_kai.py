"""KAI: a share is an annotation of the pod."""

import pytest
from backends.sharing import COUNT, MEM, admitted, container, found, pod, policy, resources

GPU = "nvidia.com/gpu"


class TestKai:
    def test_a_share_is_written_to_the_pod(self):
        after, findings = admitted(policy("kai"), pod({"aliyun.com/gpu-mem": "3"}))
        assert findings == []
        assert after == {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "pod",
                "annotations": {"gpu-memory": "3072"},
            },
            "spec": {"schedulerName": "kai-scheduler", "containers": [container()]},
        }

    def test_several_gpus_and_another_container_are_named(self):
        containers = [container(name="log"), container({MEM: "8Gi", COUNT: "2"}, name="train")]
        after, _ = admitted(policy("kai"), pod(containers=containers, labels={"kai.scheduler/queue": "research"}))
        assert after["metadata"]["annotations"] == {
            "gpu-memory": "8192",
            "gpu-fraction-num-devices": "2",
            "gpu-fraction-container-name": "train",
        }
        assert after["metadata"]["labels"] == {"kai.scheduler/queue": "research"}

    def test_other_resources_of_the_container_stay(self):
        after, _ = admitted(policy("kai"), pod({"cpu": "4", MEM: "8Gi"}))
        assert resources(after) == {"cpu": "4"}

    def test_its_own_words_are_left_exactly_as_they_are(self):
        for annotations in ({"gpu-memory": "2000"}, {"gpu-fraction": "0.5"}):
            before = pod(annotations=annotations, labels={"kai.scheduler/queue": "q"}, schedulerName="kai-scheduler")
            assert admitted(policy("kai"), before) == (before, [])

    def test_its_words_are_understood_elsewhere(self):
        annotations = {"gpu-memory": "3072", "gpu-fraction-num-devices": "2", "owner": "me"}
        before = pod(annotations=annotations, labels={"kai.scheduler/queue": "q"})
        after, _ = admitted(policy("hami"), before)
        assert resources(after) == {GPU: 2, "nvidia.com/gpumem": 3072}
        assert after["metadata"]["annotations"] == {"owner": "me"}

    def test_a_fraction_needs_the_card(self):
        before = pod(annotations={"gpu-fraction": "0.25"})
        assert found(policy("hami"), before) == ["GPU102"]
        after, _ = admitted(policy("hami", ["A100-40"]), before)
        assert resources(after) == {GPU: 1, "nvidia.com/gpumem": 10240}

    def test_an_annotation_of_that_name_on_other_pods_is_nobodys_business(self):
        before = pod({GPU: "1"}, annotations={"gpu-memory": "16GB"})
        assert admitted(policy("exclusive"), before) == (before, [])

    @pytest.mark.parametrize("said", ["", "8Gi", "-1", "0", "1.5", "٣", "9" * 5000])
    def test_unreadable_amounts_are_refused(self, said):
        before = pod(
            annotations={"gpu-memory": said}, labels={"kai.scheduler/queue": "q"}, schedulerName="kai-scheduler"
        )
        assert found(policy("kai"), before) == ["GPU102"]

    @pytest.mark.parametrize("said", ["", "0", "1.5", "2", "half", "-0.5", "0.", "."])
    def test_fractions_out_of_range_are_refused(self, said):
        before = pod(
            annotations={"gpu-fraction": said}, labels={"kai.scheduler/queue": "q"}, schedulerName="kai-scheduler"
        )
        assert found(policy("kai"), before) == ["GPU108"]

    def test_a_share_and_a_whole_gpu_do_not_go_together(self):
        containers = [container({MEM: "8Gi"}, "share"), container({GPU: "1"}, "whole")]
        before = pod(containers=containers)
        after, findings = admitted(policy("kai"), before)
        assert after["spec"]["containers"] == before["spec"]["containers"]
        assert [finding.rule for finding in findings if finding.severity == "error"] == ["GPU103"]


QUEUE = {"kai.scheduler/queue": "q"}


def of(container, word):
    """The key of an annotation for one container."""
    return f"nvidia.com/container.{container}.{word}"


REQUEST, LIMIT = of("main", "gpu-memory.request"), of("main", "gpu-memory.limit")
MODE, COMPUTE = of("main", "gpu-compute.mode"), of("main", "gpu-compute.request")
PORTION = "kai.scheduler/container.main.gpu-memory.portion.limit"


def kais(annotations, **fields):
    return pod(annotations=annotations, labels=QUEUE, schedulerName="kai-scheduler", **fields)


# what KAI itself takes: by the author, by KAI's webhook beside what the author wrote, and by its binder
TAKEN = [
    {REQUEST: "4Gi"},
    {LIMIT: "4Gi"},
    {REQUEST: "4Gi", LIMIT: "8Gi"},
    {REQUEST: "7680Mi", "gpu-fraction-num-devices": "2"},
    {REQUEST: "4Gi", "gpu-fraction-container-name": "main"},
    {REQUEST: "4Gi", MODE: "sm-sharing"},
    {REQUEST: "4Gi", COMPUTE: "0.5"},
    {REQUEST: "4Gi", of("main", "gpu-compute.word-of-tomorrow"): "x"},
    {"gpu-memory": "4096", REQUEST: "4Gi"},
    {"gpu-memory": "4096", "gpu-memory.limit": "8Gi"},
    {"gpu-memory": "4096", "gpu-memory.limit": "8Gi", REQUEST: "4Gi", LIMIT: "8Gi"},
    {"gpu-fraction": "0.5", "gpu-fraction.limit": "0.75"},
    {"gpu-fraction": "0.5001", "gpu-fraction.limit": "0.5002"},
    {"gpu-fraction": "0.5", "gpu-fraction.limit": "0.75", PORTION: "0.75"},
    {"gpu-fraction": "0.5", PORTION: "0.75", REQUEST: "40Gi", LIMIT: "60Gi"},
    {"gpu-fraction": "0.5", REQUEST: "40Gi"},
    {"gpu-fraction": "0.5", COMPUTE: "1"},
]


@pytest.mark.parametrize("annotations", TAKEN)
def test_what_kai_takes_is_left_exactly_as_it_is(annotations):
    before = kais(annotations)
    assert admitted(policy("kai", ["A100-80"]), before) == (before, [])


# annotations -> limits under HAMi's policy
CARRIED = [
    ({REQUEST: "4Gi"}, {GPU: 1, "nvidia.com/gpumem": 4096}),
    ({LIMIT: "4Gi"}, {GPU: 1, "nvidia.com/gpumem": 4096}),
    ({REQUEST: "4Gi", LIMIT: "4Gi"}, {GPU: 1, "nvidia.com/gpumem": 4096}),
    ({REQUEST: "4000M"}, {GPU: 1, "nvidia.com/gpumem": 3815}),
    ({REQUEST: "4Gi", "gpu-fraction-num-devices": "2"}, {GPU: 2, "nvidia.com/gpumem": 4096}),
    ({REQUEST: "4Gi", "gpu-fraction-container-name": "main"}, {GPU: 1, "nvidia.com/gpumem": 4096}),
    ({REQUEST: "4Gi", "gpu-memory": "4096"}, {GPU: 1, "nvidia.com/gpumem": 4096}),
    ({REQUEST: "4Gi", MODE: "time-slicing"}, {GPU: 1, "nvidia.com/gpumem": 4096}),
    ({REQUEST: "4Gi", COMPUTE: "0.301"}, {GPU: 1, "nvidia.com/gpumem": 4096, "nvidia.com/gpucores": 31}),
    ({REQUEST: "4Gi", COMPUTE: "1"}, {GPU: 1, "nvidia.com/gpumem": 4096, "nvidia.com/gpucores": 100}),
    ({"gpu-fraction": "0.5", COMPUTE: ".5"}, {GPU: 1, "nvidia.com/gpumem": 40960, "nvidia.com/gpucores": 50}),
]


@pytest.mark.parametrize(("annotations", "arrives"), CARRIED)
def test_requests_for_one_container_are_carried_to_another_backend(annotations, arrives):
    target = policy("hami", ["A100-80"])
    after, findings = admitted(target, pod(annotations={**annotations, "owner": "me"}))
    assert findings == []
    assert resources(after) == arrives
    assert after["metadata"] == {"name": "pod", "annotations": {"owner": "me"}}
    assert admitted(target, after)[0] == after


def test_the_container_that_the_key_names_is_served():
    before = pod(
        annotations={of("train", "gpu-memory.request"): "4Gi"},
        containers=[container(name="log"), container(name="train")],
    )
    after, _ = admitted(policy("hami"), before)
    assert resources(after, 0) is None
    assert resources(after, 1) == {GPU: 1, "nvidia.com/gpumem": 4096}


def test_an_init_container_is_served_under_kai():
    before = kais({of("setup", "gpu-memory.request"): "4Gi"}, initContainers=[container(name="setup")])
    assert admitted(policy("kai"), before) == (before, [])
    assert found(policy("gpushare"), before) == ["GPU107"]


# annotations -> the one rule with a finding under KAI's policy, and its message
WRONG = [
    ({REQUEST: "0"}, "GPU102", "above zero"),
    ({REQUEST: "-4Gi"}, "GPU102", "above zero"),
    ({REQUEST: "lots"}, "GPU102", "above zero"),
    ({REQUEST: ""}, "GPU102", "above zero"),
    ({REQUEST: None}, "GPU102", "above zero"),
    ({REQUEST: 4096}, "GPU102", "above zero"),
    ({REQUEST: "4GiB"}, "GPU102", "such as 8Gi"),
    ({REQUEST: "4Gi", LIMIT: "x"}, "GPU102", "above zero"),
    ({REQUEST: "8Gi", LIMIT: "4Gi"}, "GPU102", "allows less (4Gi) than the request requests (8Gi)"),
    ({"gpu-memory": "8192", "gpu-memory.limit": "4Gi"}, "GPU102", "allows less (4Gi)"),
    ({"gpu-fraction": "0.5", "gpu-fraction.limit": "0.25"}, "GPU102", "allows no more"),
    ({"gpu-fraction": "0.5", "gpu-fraction.limit": "0.50"}, "GPU102", "allows no more"),
    ({"gpu-fraction": "0.5", "gpu-fraction.limit": "2"}, "GPU108", "a part of a card"),
    ({"gpu-fraction": "0.5", PORTION: "2"}, "GPU108", "a part of a card"),
    ({"gpu-memory": "4096", REQUEST: "8Gi"}, "GPU102", "4Gi and 8Gi at once"),
    ({"gpu-memory": "4096", LIMIT: "8Gi"}, "GPU102", "in two ways"),
    ({"gpu-fraction": "0.5", LIMIT: "8Gi"}, "GPU102", "in two ways"),
    ({REQUEST: "4Gi", "gpu-fraction-container-name": "other"}, "GPU107", 'containers "main" and "other"'),
    ({REQUEST: "4Gi", of("other", "gpu-memory.request"): "4Gi"}, "GPU107", 'containers "main" and "other"'),
    ({of("tain", "gpu-memory.request"): "4Gi"}, "GPU102", 'for a container "tain", and the pod has none'),
    ({"gpu-memory": "4096", "gpu-fraction-container-name": "tain"}, "GPU102", 'container "tain", and the pod has none'),
    ({of("main", "gpu-memory.requests"): "4Gi"}, "GPU102", "KAI knows no annotation"),
    ({of("main", "gpu-mem.request"): "4Gi"}, "GPU102", "KAI knows no annotation"),
    ({of("main", "gpu-memory"): "4Gi"}, "GPU102", "KAI knows no annotation"),
    ({REQUEST: "4Gi", of("main", "gpu-memory.limits"): "8Gi"}, "GPU102", "KAI knows no annotation"),
    ({REQUEST: "4Gi", MODE: "mps"}, "GPU102", "is not time-slicing or sm-sharing"),
    ({REQUEST: "4Gi", COMPUTE: "50"}, "GPU108", "a part of a card's compute"),
    ({REQUEST: "4Gi", COMPUTE: "0"}, "GPU108", "a part of a card's compute"),
    ({REQUEST: "4Gi", "gpu-fraction-num-devices": "0"}, "GPU102", "whole number"),
    ({REQUEST: "8192"}, "GPU106", "counts bytes; did you mean 8192Mi?"),
    ({REQUEST: "8"}, "GPU106", "did you mean 8Gi?"),
    ({REQUEST: "8192Gi"}, "GPU106", "did you mean 8Gi?"),
    ({REQUEST: "1e1000000"}, "GPU106", "more than any GPU has"),
]


@pytest.mark.parametrize(("annotations", "rule", "said"), WRONG)
def test_what_kai_refuses_is_one_finding_that_says_so(annotations, rule, said):
    before = kais(annotations)
    after, findings = admitted(policy("kai"), before)
    assert after == before
    assert [finding.rule for finding in findings] == [rule]
    assert said in findings[0].message
    assert findings[0].advice


@pytest.mark.parametrize(("annotations", "rule", "_said"), WRONG)
def test_nothing_of_it_is_carried_elsewhere_either(annotations, rule, _said):
    before = pod(annotations=annotations)
    after, findings = admitted(policy("hami"), before)
    assert after == before
    assert [(finding.rule, finding.severity) for finding in findings] == [(rule, "error")]


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ({REQUEST: "4Gi", LIMIT: "8Gi"}, "may grow from 4Gi to 8Gi"),
        (
            {"gpu-memory": "4096", "gpu-memory.limit": "8Gi", "gpu-fraction-num-devices": "1"},
            "may grow from 4Gi to 8Gi",
        ),
        ({"gpu-fraction": "0.5", "gpu-fraction.limit": "0.75"}, "may grow from 0.5 of a card to 0.75"),
        ({"gpu-fraction": "0.5", PORTION: "0.75"}, "may grow from 0.5 of a card to 0.75"),
        ({REQUEST: "4Gi", MODE: "sm-sharing"}, "sm-sharing"),
        ({REQUEST: "4Gi", of("main", "gpu-compute.word-of-tomorrow"): "x"}, "known only to KAI"),
    ],
)
def test_what_only_kai_can_do_is_refused_elsewhere_and_never_dropped(annotations, said):
    before = pod(annotations=annotations)
    after, findings = admitted(policy("hami", ["A100-80"]), before)
    assert after == before
    assert [finding.rule for finding in findings] == ["GPU102"]
    assert said in findings[0].message


@pytest.mark.parametrize("key", ["gpus.devices", "gpu-compute.portion"])
def test_what_the_binder_writes_asks_for_nothing(key):
    before = pod(annotations={of("main", key): "GPU-1"})
    for name in ("hami", "kai", "exclusive"):
        assert admitted(policy(name), before) == (before, [])
    bound = kais({"gpu-fraction": "0.5", of("main", key): "GPU-1"})
    assert admitted(policy("kai"), bound) == (bound, [])


def test_a_part_of_a_pod_may_leave_the_container_out():
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {
            "template": {
                "metadata": {"annotations": {of("train", "gpu-memory.request"): "4Gi"}},
                "spec": {"containers": [{"name": "log"}]},
            }
        },
    }
    assert found(policy("hami"), patch, "file") == []
    patch["spec"]["template"]["spec"]["containers"][0]["image"] = "log:1"
    assert found(policy("hami"), patch, "file") == ["GPU102"]


@pytest.mark.parametrize("name", ["hami", "volcano-vgpu", "koordinator", "gpushare", "mig", "exclusive", "dra"])
def test_it_means_the_same_as_the_older_annotation_to_every_backend(name):
    target = policy(name)
    old, _ = admitted(target, pod(annotations={"gpu-memory": "8192"}, labels=QUEUE))
    new, _ = admitted(target, pod(annotations={REQUEST: "8Gi"}, labels=QUEUE))
    assert new == old
    assert new["spec"]["containers"] != [container()]


@pytest.mark.parametrize(
    ("written", "rule", "said"),
    [
        ({"gpu-memory": "8Gi"}, "GPU102", 'write gpu-memory as a whole number of MiB in quotes, such as "8192"'),
        ({"gpu-memory": "10Gi"}, "GPU102", 'such as "10240"'),
        ({"gpu-memory": 4096}, "GPU102", 'in quotes, such as "4096"'),
        ({"gpu-memory": "lots"}, "GPU102", 'such as "8192"'),
        ({"gpu-memory": "8"}, "GPU106", 'write gpu-memory: "8192"'),
        ({"gpu-memory": "8388608"}, "GPU106", 'write gpu-memory: "8192"'),
        ({"gpu-fraction": "1"}, "GPU108", "or request whole cards: nvidia.com/gpu: 1"),
    ],
)
def test_the_advice_says_what_was_probably_meant(written, rule, said):
    _, findings = admitted(policy("kai"), kais(written))
    assert [finding.rule for finding in findings] == [rule]
    assert said in findings[0].advice


def test_a_queue_among_the_annotations_is_not_passed_over_for_the_policys():
    before = pod({MEM: "8Gi"}, annotations={"kai.scheduler/queue": "team"})
    after, findings = admitted(policy("kai", queue="other"), before)
    assert "labels" not in after["metadata"]
    assert [(finding.rule, finding.severity) for finding in findings] == [("GPU109", "warning")]
    assert findings[0].advice == "write kai.scheduler/queue: team among the labels of the pod"


@pytest.mark.parametrize(
    "annotations",
    [
        {"gpu-memory": "${MEM}"},
        {"gpu-fraction": "$(params.fraction)"},
        {REQUEST: "${MEM}"},
        {of("${NAME}", "gpu-memory.request"): "4Gi"},
        {"gpu-memory": "4096", "gpu-fraction-container-name": "${NAME}"},
    ],
)
@pytest.mark.parametrize("name", ["kai", "hami"])
def test_nothing_is_said_of_what_is_yet_to_be_filled_in(name, annotations):
    before = kais(annotations) if name == "kai" else pod(annotations=annotations, labels=QUEUE)
    assert found(policy(name), before, "file") == []
    assert found(policy(name), before, "admission") in (["GPU102"], ["GPU108"])


FRACTION, DEVICES = "gpu-fraction", "gpu-fraction-num-devices"
PORTION = "kai.scheduler/container.main.gpu-memory.portion.limit"


class TestQueues:
    """KAI takes the top owner's label, then the pod's, then a project's name, then default-queue."""

    QUEUED = policy("kai", queue="team")

    def labels(self, labels, queued=QUEUED):
        return admitted(queued, pod({GPU: "1"}, labels=labels))[0]["metadata"].get("labels")

    def test_the_policys_queue_is_for_pods_that_name_none(self):
        assert self.labels(None) == {"kai.scheduler/queue": "team"}
        assert self.labels({"project": "x"}) == {"project": "x"}
        assert self.labels({"kai.scheduler/queue": "mine"}) == {"kai.scheduler/queue": "mine"}
        assert self.labels(None, policy("kai")) is None

    @pytest.mark.parametrize("queued", [QUEUED, policy("kai")])
    def test_the_older_label_is_carried_over(self, queued):
        old = {"runai/queue": "test"}
        assert self.labels(old, queued) == {**old, "kai.scheduler/queue": "test"}
        both = {**old, "kai.scheduler/queue": "mine"}
        assert self.labels(both, queued) == both

    @pytest.mark.parametrize("label", ["kai.scheduler/queue", "project"])
    def test_the_owners_label_is_enough(self, label):
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod({GPU: "1"})["spec"]}
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {label: "mine"}}}
        before = {**owner, "spec": {"template": template}}
        after, _ = admitted(self.QUEUED, before, "file")
        assert after["spec"]["template"]["metadata"]["labels"] == {"a": "b"}

    def test_a_null_is_no_label(self):
        assert found(policy("kai"), pod({GPU: "1"}, labels={"kai.scheduler/queue": None})) == []


@pytest.mark.parametrize("said", ["5e-1", "0.5", ".5", "+0.5", "5E-1", "50e-2", "0.05e1", "5.e-1", "1e-3"])
def test_fractions_as_go_reads_them(said):
    assert found(policy("kai"), pod(annotations={FRACTION: said})) == []


@pytest.mark.parametrize(
    "said",
    [
        "1e0",
        "5e1",
        "0e0",
        "e-1",
        "5e",
        "5e-999",
        "5e-1234",
        "5e- 1",
        "0x1p-1",
        "500m",
        "NaN",
        "-5e-1",
        "1_0e-2",
        "٣e-1",
    ],
)
def test_what_is_not_a_fraction(said):
    assert found(policy("kai"), pod(annotations={FRACTION: said})) == ["GPU108"]


@pytest.mark.parametrize(
    "annotations", [{DEVICES: "2"}, {"gpu-memory.limit": "8Gi"}, {"gpu-fraction.limit": "0.5"}, {PORTION: "0.5"}]
)
def test_words_that_need_an_amount(annotations):
    assert found(policy("kai"), pod(annotations=annotations)) == ["GPU102"]
    assert found(policy("hami"), pod({GPU: "1"}, annotations=annotations)) == []
    assert found(policy("hami"), pod(annotations=annotations, schedulerName="kai-scheduler")) == ["GPU102"]


@pytest.mark.parametrize(
    ("more", "rules"),
    [
        ({PORTION: "0.75"}, []),
        ({PORTION: "0.5"}, ["GPU102"]),
        ({PORTION: "0.123456"}, ["GPU108"]),
        ({PORTION: "1.5"}, ["GPU108"]),
        ({"kai.scheduler/container.other.gpu-memory.portion.limit": "0.75"}, ["GPU102"]),
    ],
)
def test_the_limit_of_a_fraction(more, rules):
    assert found(policy("kai"), pod(annotations={FRACTION: "0.5", **more})) == rules


def test_a_portion_limit_beside_memory():
    assert found(policy("kai"), pod(annotations={"gpu-memory": "2000", PORTION: "0.75"})) == ["GPU102"]


def test_mps_is_for_shares():
    assert found(policy("kai"), pod({GPU: "1"}, annotations={"mps": "true"})) == ["GPU102"]
    assert found(policy("kai"), pod({GPU: "1"}, annotations={"mps": "false"})) == []
    assert found(policy("kai"), pod(annotations={FRACTION: "0.5", "mps": "true"})) == []
    assert found(policy("hami"), pod({GPU: "1"}, annotations={"mps": "true"})) == []
