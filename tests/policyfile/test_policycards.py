"""Cards of a policy file that do not exist: one clear error for each, with its line."""

import pytest

from gpu_admission.policyfile import loader

HEAD = "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: p}\nspec:\n"
BAD = [
    (
        "{model: A100-8O}",
        "p.yaml:8:8: spec.cluster.cards.0.model: there is no card 'A100-8O'",
        "did you mean 'A100-80'",
    ),
    ("{model: mine}", "cards.0.model: there is no card 'mine' in the table: give its memory", ""),
    ("{model: A100-80, memory: 0}", "cards.0.memory: a card's memory must be greater than zero", ""),
    ("{model: A100-80, memory: 80}", "cards.0.memory: no GPU has 80 bytes of memory", "such as 80Gi"),
    ("{model: A100-80, memory: 80Ti}", "cards.0.memory: no GPU has", "such as 80Gi"),
    ("{model: A100-80, mig: single}", "cards.0.mig: strategy single cuts a card into one profile", "profile: 1g.10gb"),
    (
        "{model: A100-80, profile: 1g.5gb}",
        "cards.0.profile: A100-80 has no MIG profile '1g.5gb'",
        "it has: 1g.10gb, 1g.20gb",
    ),
    ("{model: mine, memory: 24Gi, mig: mixed}", "cards.0.mig: which MIG profiles mine has is not in the table", ""),
    ("{model: mine, memory: 24Gi, profile: 1g.6gb}", "cards.0.profile: mine has no MIG profile '1g.6gb'", "none"),
    (
        "{model: mine, memory: 24Gi, profiles: [{name: 1g.6gb, memory: 7Gi, count: 4}]}",
        "cards.0.profiles.0.memory: the profile 1g.6gb does not fit: 4 times 7Gi is more than the 24Gi of mine",
        "",
    ),
    (
        "{model: mine, memory: 24Gi, profiles: [{name: 1g.6gb, memory: 5Gi}, {name: 1g.6gb, memory: 5Gi}]}",
        "cards.0.profiles.1.name: the profile 1g.6gb is given twice",
        "",
    ),
    ("{model: mine, profiles: [{name: six, memory: 5Gi}]}", "cards.0.profiles.0.name:", ""),
    ("{model: A100-80, memory: eighty}", "cards.0.memory:", ""),
    ("{model: A100-80, memory: -1Gi}", "cards.0.memory: a card's memory must be greater than zero", ""),
    ("{model: A100-80, memory: 1e30}", "cards.0.memory: a card's memory needs a unit", "such as 80Gi"),
    ("{model: A100-80, perNode: 0}", "cards.0.perNode:", ""),
]


def check(text):
    with pytest.raises(loader.PolicyError) as caught:
        loader.parse(text.encode(), "p.yaml")
    return str(caught.value)


@pytest.mark.parametrize(("card", "said", "hint"), BAD)
def test_impossible_cards(card, said, hint):
    message = check(f"{HEAD}  backend: {{name: mig}}\n  cluster:\n    cards:\n    - {card}\n")
    assert len(message.splitlines()) == 1
    assert said in message
    assert hint in message


def test_strategy_single_needs_a_card_that_is_cut():
    message = check(f"{HEAD}  backend: {{name: mig, strategy: single}}\n")
    assert message.startswith("p.yaml:5:24: spec.backend.strategy: strategy single needs a card")
    other = "  cluster: {cards: [{model: A100-80, mig: mixed, profile: 1g.10gb}]}\n"
    assert "strategy single" in check(f"{HEAD}  backend: {{name: mig, strategy: single}}\n{other}")


GOOD = [
    "{model: A100-80}",
    "{model: A800-80}",
    "{model: H20-141, mig: mixed}",
    "{model: A100-80, memory: 81559Mi, perNode: 4}",
    "{model: A100-80, mig: single, profile: 1g.10gb, product: NVIDIA-A100-SXM4-80GB}",
    "{model: A100-80, mig: single, profile: 1g.10gb+me}",
    "{model: mine, memory: 24Gi}",
    "{model: mine, memory: 96Gi, mig: mixed, profiles: [{name: 1g.24gb, memory: 23Gi, count: 4}]}",
    "{model: mine, profiles: [{name: 1g.24gb, memory: 23Gi}, {name: 4g.96gb, memory: 94Gi}]}",
]


@pytest.mark.parametrize("card", GOOD)
def test_possible_cards(card):
    text = f"{HEAD}  backend: {{name: mig}}\n  cluster: {{cards: [{card}]}}\n"
    assert loader.parse(text.encode(), "p.yaml").cards
