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
                "labels": {"kai.scheduler/queue": "default"},
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
