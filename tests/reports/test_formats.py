"""The registry of formats."""

import inspect

import pytest

from gpu_admission.policy.model import Policy
from gpu_admission.reports import formats
from gpu_admission.reports.report import Report


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_renders_a_report(name):
    render = formats.renderer(name)
    assert inspect.getmodule(render).__name__ == f"gpu_admission.reports.{formats.MODULES[name]}"
    assert isinstance(render(Report(policy=Policy("p").name, version="1", rules=())), str)


@pytest.mark.parametrize("name", ["", "xml", "gitlab2", "style", "json_report"])
def test_an_unknown_format_is_an_error_and_not_the_last_one(name):
    with pytest.raises(ValueError, match=r"unknown format .*; choose from text, concise"):
        formats.renderer(name)


def test_what_people_read_is_among_them():
    assert set(formats.FOR_PEOPLE) < set(formats.FORMATS)
