"""MIG: profiles by usable memory, and nodes by product where all cards of one are divided alike."""

from backends.sharing import COUNT, MEM, admitted, found, messages, pod, policy, resources

GPU = "nvidia.com/gpu"


class TestMig:
    single = policy(
        "mig",
        [{"model": "A100-80", "mig": "single", "profile": "1g.20gb", "product": "NVIDIA-A100-SXM4-80GB"}],
        strategy="single",
    )

    def test_single_chooses_the_product(self):
        after, _ = admitted(self.single, pod({MEM: "16Gi"}))
        assert resources(after) == {GPU: 1}
        assert after["spec"]["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.20gb"}

    def test_single_without_a_product_takes_the_model_for_it(self):
        cards = [
            {
                "model": "NVIDIA-X",
                "memory": "48Gi",
                "profile": "1g.12gb",
                "profiles": [{"name": "1g.12gb", "memory": "11Gi"}],
            }
        ]
        after, _ = admitted(policy("mig", cards, strategy="single"), pod({MEM: "8Gi"}))
        assert after["spec"]["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-X-MIG-1g.12gb"}

    def test_single_takes_the_smallest_of_the_configured_profiles(self):
        cards = [
            {"model": "A100-80", "mig": "single", "profile": "3g.40gb"},
            {"model": "A100-40", "mig": "single", "profile": "1g.10gb"},
        ]
        target = policy("mig", cards, strategy="single")
        assert admitted(target, pod({MEM: "9Gi"}))[0]["spec"]["nodeSelector"].popitem()[1] == "A100-40-MIG-1g.10gb"
        assert admitted(target, pod({MEM: "19Gi"}))[0]["spec"]["nodeSelector"].popitem()[1] == "A100-80-MIG-3g.40gb"

    def test_single_refuses_what_no_configured_profile_has_and_whole_cards(self):
        assert found(self.single, pod({MEM: "30Gi"})) == ["GPU105"]
        assert found(self.single, pod({COUNT: "1"})) == ["GPU102"]

    def test_single_without_a_configured_model_refuses(self):
        assert found(policy("mig", ["A100-80"], strategy="single"), pod({MEM: "8Gi"})) == ["GPU102"]

    def test_a_node_selector_of_the_pods_own_is_never_overwritten(self):
        before = pod({MEM: "16Gi"}, nodeSelector={"nvidia.com/gpu.product": "NVIDIA-L4"})
        after, findings = admitted(self.single, before)
        assert after == before
        assert [finding.rule for finding in findings] == ["GPU102"]
        assert "NVIDIA-L4" in findings[0].message

    def test_a_policys_own_profiles_win_over_the_table(self):
        cards = [
            {
                "model": "A100-80",
                "profiles": [{"name": "1g.10gb", "memory": "9Gi"}, {"name": "2g.20gb", "memory": "18Gi"}],
            }
        ]
        after, _ = admitted(policy("mig", cards), pod({MEM: "9.5Gi"}))
        assert resources(after) == {"nvidia.com/mig-2g.20gb": 1}

    def test_the_message_says_what_is_usable(self):
        said = messages(policy("mig"), pod({MEM: "8Gi"}), "GPU101")
        assert "1g.10gb has 9.5Gi usable" in said[0]

    def test_a_profile_of_another_card_is_answered_with_one_of_these(self):
        _, findings = admitted(policy("mig"), pod({"nvidia.com/mig-1g.5gb": "1"}))
        assert findings[0].advice == "write nvidia.com/mig-1g.10gb: 1"

    def test_cards_without_mig_offer_no_profiles(self):
        assert found(policy("mig", [{"model": "A100-80", "mig": "none"}]), pod({MEM: "8Gi"})) == ["GPU102"]
