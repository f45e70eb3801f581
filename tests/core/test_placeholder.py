import pytest

from gpu_admission.core.raw import is_placeholder


@pytest.mark.parametrize(
    "said",
    ["$N", "${N}", "${N:-1}", "$(N)", "{{ n }}", "{{.gpu}}", "{% n %}", "<number>", "<number_of_gpus>", "?*", "*", "GPU_COUNT",
     "#{GPU}#", "#{GPU}", "((gpu))", "{gpu}", "[[ gpu ]]", {"gpu": None}, [["gpu"]], "@N@", "%N%", "__N__", "x-{{ n }}", "${A}${B}"],
)  # fmt: skip
def test_placeholders(said):
    assert is_placeholder(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "1",
        "1Gi",
        "one",
        "NaN",
        "1$",
        "$",
        "$1",
        "{1}",
        "<>",
        "a < b",
        "A",
        "ONE",
        "1_000",
        "%",
        "@",
        "__",
        1,
        None,
        [],
        {},
        {"gpu": 1},
        {"a": None, "b": None},
        {1: None},
        [[1]],
        [["a", "b"]],
        [[]],
        "(gpu)",
        "[gpu]",
        "{0}",
        "((" * 1000,
        "[[" * 1000,
        "#{" * 1000,
        "x" * 10**6,
    ],
)
def test_values(said):
    assert not is_placeholder(said)
