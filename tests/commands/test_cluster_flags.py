import argparse

import pytest

from gpu_admission.commands import cluster_flags


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    cluster_flags.add_cluster_flags(parser)
    return parser


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", None), ("0s", None), ("30", 30), ("30s", 30), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0.5), (".5s", 0.5)],
)
def test_a_duration_is_read_as_kubectl_reads_it(text, seconds):
    assert cluster_flags.duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-5s", "5x", "5 s", "1e3s", "nan", "inf", "٣s", "9" * 400 + "s", "25h", "9" * 8]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"not a duration|longer than 24h"):
        cluster_flags.duration(text)


def test_flags_without_values_choose_the_context_s_namespace(parser):
    class Connection:
        namespace = "of-the-context"

    for args, expected in (([], "of-the-context"), (["-n", "x"], "x"), (["-A"], None)):
        assert cluster_flags.namespace_of(parser.parse_args(args), Connection()) == expected


def test_one_namespace_and_all_of_them_exclude_each_other(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["-n", "x", "-A"])
    assert "not allowed with argument" in capsys.readouterr().err
