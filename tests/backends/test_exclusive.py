"""Whole cards: chosen by a node affinity where not every card is large enough."""

from backends.sharing import MEM, admitted, pod, policy


def gt(mib):
    """The node affinity for a card with at least so many MiB."""
    term = {"matchExpressions": [{"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": [str(mib - 1)]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


class TestExclusive:
    def test_a_card_that_is_large_enough_is_chosen_by_the_nodes_label(self):
        after, _ = admitted(policy("exclusive"), pod({MEM: "8Gi"}))
        assert after["spec"]["affinity"] == gt(8192)

    def test_where_every_card_is_large_enough_no_label_is_needed(self):
        after, _ = admitted(policy("exclusive", ["A100-40", "A100-80"]), pod({MEM: "40Gi"}))
        assert "affinity" not in after["spec"]
        after, _ = admitted(policy("exclusive", ["A100-40", "A100-80"]), pod({MEM: "41Gi"}))
        assert after["spec"]["affinity"] == gt(41 * 1024)

    def test_every_alternative_of_an_affinity_gets_the_condition(self):
        zones = [{"key": "zone", "operator": "In", "values": [name]} for name in "ab"]
        terms = [{"matchExpressions": [zone]} for zone in zones] + [{}]
        mine = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
        after, _ = admitted(policy("exclusive"), pod({MEM: "8Gi"}, affinity=mine))
        label = gt(8192)["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0]
        required = after["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert required["nodeSelectorTerms"] == [
            {"matchExpressions": [zones[0], *label["matchExpressions"]]},
            {"matchExpressions": [zones[1], *label["matchExpressions"]]},
            label,
        ]

    def test_a_condition_that_asks_for_more_already_is_kept(self):
        after, _ = admitted(policy("exclusive"), pod({MEM: "8Gi"}, affinity=gt(40000)))
        assert after["spec"]["affinity"] == gt(40000)
        after, _ = admitted(policy("exclusive"), pod({MEM: "8Gi"}, affinity=gt(4000)))
        assert len(str(after["spec"]["affinity"]).split("Gt")) == 3
