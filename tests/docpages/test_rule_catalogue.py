"""policies/RULES.md: complete, and linked."""

import re

import pytest

from gpu_admission import rules
from gpu_admission.docpages import rule_catalogue
from gpu_admission.reports import links

PAGE = rule_catalogue.render(rules.ALL)


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
def test_every_rule_is_told_in_full(rule):
    entry = PAGE.split(f"### {rule.id} {rule.name}\n")[1].split("\n### ")[0]
    assert rule.rationale.rstrip() in entry
    assert rule.bad.rstrip() in entry
    assert rule.good.rstrip() in entry
    for reference in rule.references:
        assert reference in entry
    assert f"since {rule.since}" in entry


def test_the_overview_links_to_headings_that_exist():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line[4:].lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("### ")
    }
    linked = re.findall(r"\(#([^)]+)\)", PAGE)
    assert linked
    assert set(linked) == headings
    assert len(linked) == len(rules.ALL)


def test_every_rule_stands_in_a_chapter():
    assert PAGE.count("\n### ") == len(rules.ALL)


@pytest.mark.parametrize(
    ("reference", "url", "markdown"),
    [
        ("https://example.com/a", "https://example.com/a", "<https://example.com/a>"),
        (
            "kubernetes/kubernetes: pkg/x.go",
            "https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/x.go",
            "[kubernetes/kubernetes: pkg/x.go](https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/x.go)",
        ),
        ("the manual, page 5", None, "the manual, page 5"),
    ],
)
def test_links(reference, url, markdown):
    assert links.url(reference) == url
    assert links.markdown(reference) == markdown
