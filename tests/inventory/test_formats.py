"""What is printed: gpushare's own table, and the same facts in every format."""

import json
import re
from pathlib import Path

import pytest
from inventory.clusters import ALL, collected, node

from gpu_admission.inventory import html_page, plain_text, report, tables
from gpu_admission.inventory.model import Inventory
from gpu_admission.inventory.readers import registry

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "inspect.md").read_text()
SEED = """\
NAME  IPADDRESS  GPU0(Allocated/Total)  GPU1(Allocated/Total)  PENDING(Allocated)  GPU Memory(GiB)
cn-1  10.0.0.4   3/15                   7/15                                       10/30
cn-2  10.0.0.4   0/15                   0/0                    2                   2/15
--------------------------------------------------------------------------------------------------
Allocated/Total GPU Memory In Cluster:
12/45 (26%)
"""


def text(name, *, wide=False):
    return plain_text.written(tables.tables(collected(ALL[name]), wide=wide))


def test_a_gpushare_cluster_is_printed_as_its_own_tool_prints_it():
    assert text("gpushare").startswith(SEED)


@pytest.mark.parametrize("name", ALL)
def test_every_pod_is_in_the_wide_table_and_in_the_page(name):
    inventory = collected(ALL[name])
    page = "".join(html_page.page(inventory, "t"))
    wide = text(name, wide=True)
    for _, pool in inventory.pools():
        for _, held in pool.holdings():
            assert all(pod in wide and pod in page for pod in held.pods)


@pytest.mark.parametrize("name", ALL)
def test_the_data_add_up(name):
    data = report.as_data(collected(ALL[name]))
    assert data == json.loads(json.dumps(data))
    for summary in data["summary"]:
        pools = [
            pool
            for each in data["nodes"]
            for pool in each["pools"]
            if (pool["backend"], pool["resource"], pool["measure"])
            == (summary["backend"], summary["resource"], summary["measure"])
        ]
        for field in ("total", "allocated", "free"):
            assert summary[field] == sum(pool[field] for pool in pools)
        assert summary["free"] >= summary["largestFreePiece"]["amount"] or summary["unplaced"]
        assert 0 <= summary["fragmentation"] <= 1


@pytest.mark.parametrize("name", ALL)
def test_the_page_is_whole_and_fetches_nothing(name):
    page = "".join(html_page.page(collected(ALL[name]), "GPUs"))
    assert page.startswith("<!doctype html>")
    assert not re.search(r"(?:src|href)=|https?://|<script|@import|url\(", page)
    for tag in (
        "html",
        "body",
        "section",
        "article",
        "div",
        "table",
        "tr",
        "td",
        "h2",
        "h3",
        "p",
        "i",
        "b",
        "ul",
        "li",
    ):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


@pytest.mark.parametrize(("name", "first"), [("gpushare", 0), ("kai", 1)])
def test_the_samples_of_the_docs_are_what_is_printed(name, first):
    samples = re.findall(r"```\n((?:NAME|kai).*?)```", DOCS, re.DOTALL)
    printed = text(name)
    sample = samples[first].partition("\n\nGPUs that are not")[0].rstrip("\n")
    assert sample in printed


def test_the_docs_name_every_record_that_is_read():
    for reader in registry.ALL:
        for key in (*reader.node_annotations, *reader.pod_annotations):
            assert f"`{key}`" in DOCS or key == "run.ai/reserve_for_gpu_index", key


def test_fragmentation_is_what_one_pod_cannot_have():
    data = report.as_data(collected(ALL["volcano-vgpu"]))
    (summary,) = data["summary"]
    assert summary["fragmentation"] == round(1 - 22528 / 36864, 3)


def test_what_could_not_be_read_stands_in_every_format():
    inventory = Inventory([], incomplete=["pods: not allowed <b>"])
    assert report.as_data(inventory)["incomplete"] == ["pods: not allowed <b>"]
    assert "not allowed &lt;b&gt;" in "".join(html_page.page(inventory, "t"))


def test_states_of_nodes_are_shown():
    inventory = collected({"nodes": [node("n", {"nvidia.com/gpu": "1"}, unschedulable=True)]})
    assert "n (cordoned)" in plain_text.written(tables.tables(inventory))
