"""The number of pods that use a ResourceClaim, in documents of any shape."""

import pytest

from gpu_admission.workloads import claim_users
from gpu_admission.workloads.claim_index import ClaimIndex


def pod(*names, namespace=None, entries=None):
    metadata = {"name": "p", **({"namespace": namespace} if namespace else {})}
    claims = [{"name": name, "resourceClaimName": name} for name in names] if entries is None else entries
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"resourceClaims": claims}}


def counted(*documents, name="c", namespace=""):
    return claim_users.ClaimUsers(documents).pods(name, namespace)


@pytest.mark.parametrize("entries", [None, "x", 7, {"name": "c"}, [None, 1, "c"], [{"resourceClaimName": 7}],
                                     [{"resourceClaimName": None}], [{"source": "c"}], [{"source": {"x": 1}}]])  # fmt: skip
def test_what_names_nothing(entries):
    assert counted(pod(entries=entries)) == 0


def test_the_form_of_before_1_31_names_it_too():
    assert counted(pod(entries=[{"name": "x", "source": {"resourceClaimName": "c"}}])) == 1


def test_namespaces():
    made = [pod("c", namespace="a"), pod("c", namespace="a"), pod("c", namespace="b"), pod("c")]
    assert [counted(*made, namespace=space) for space in ("a", "b", "z", "")] == [3, 2, 1, 4]


def test_anything_that_is_not_counted_makes_it_unknown():
    odd = {"apiVersion": "example.com/v1", "kind": "Odd", "metadata": {"name": "o"}, "spec": {"a": [pod("c")["spec"]]}}
    assert counted(pod("c"), odd) is None
    assert counted(pod("d"), odd, name="d") == 1


def test_deep_and_cyclic_values_end():
    deep: dict = {}
    here = deep
    for _ in range(20_000):
        here["a"] = {}
        here = here["a"]
    here["resourceClaims"] = [{"resourceClaimName": "c"}]
    assert counted({"apiVersion": "v1", "kind": "Pod", "spec": deep}) == 1


def test_more_names_than_are_counted(monkeypatch):
    monkeypatch.setattr(claim_users, "MOST", 3)
    assert counted(pod("a", "b", "c")) == 1
    assert counted(pod("a", "b", "c", "d")) is None


def test_each_input_alone_where_there_is_no_run():
    index = ClaimIndex()
    index.enter([pod("c")])
    assert index.pods_naming("c") == 1
    index.enter([pod("c"), pod("c")])
    assert index.pods_naming("c") == 2
    assert index.pods_naming("other") == 0
