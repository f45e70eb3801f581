import pytest

from gpu_admission.core.typos import distance, meant, nearest


@pytest.mark.parametrize(
    ("one", "other", "changes"),
    [
        ("", "", 0), ("gpu", "gpu", 0), ("gpus", "gpu", 1), ("gu", "gpu", 1), ("gpa", "gpu", 1), ("gup", "gpu", 1),
        ("pgu", "gpu", 1), ("limts", "limits", 1), ("reqeust", "requests", 2), ("a", "b", 1), ("", "ab", 2),
        ("abc", "xyz", 3), ("nvida.con", "nvidia.com", 2),
    ],
)  # fmt: skip
def test_distance(one, other, changes):
    assert distance(one, other, 3) == distance(other, one, 3) == changes


def test_what_is_too_far_is_one_more_than_the_most():
    assert distance("kitten", "sitting", 2) == 3
    assert distance("gpu", "entirely different", 2) == 3
    assert distance("a" * 10**6, "a" * 10**6 + "b", 2) == 3


def test_the_first_of_equals_is_nearest():
    assert nearest("gpx", ["gpu", "gpa"], 1) == "gpu"
    assert nearest("limit", ["requests", "limits"], 2) == "limits"
    assert nearest("cpu-manager", ["requests", "limits"], 2) is None
    assert nearest("x", [], 2) is None


def test_the_word_with_the_fewest_changes_is_meant():
    rules = ["GPU001", "GPU005", "GPU305", "missing-toleration"]
    assert meant("GPU0O5", rules) == "GPU005"
    assert meant("gpu01x", rules) == "GPU001"
    assert meant("Missing-Tolerations", rules) == "missing-toleration"
    assert meant("no-missing-of-toleration", rules) == "missing-toleration"
    assert meant("quota", rules) is None
