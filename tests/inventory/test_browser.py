"""The page in a real Chromium: read at the width of a phone and of a desk, light and dark."""

import json
import re
import shutil
import subprocess

import pytest
from inventory.clusters import ALL, collected, node, pod

from gpu_admission.inventory import html_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs chromium (Debian's package of that name)"),
]
# What a reader would see, put where --dump-dom shows it. The page's own policy forbids scripts, so that they are
# run in a copy that lacks it.
MEASURE = """<script>
const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height].map(Math.round) };
const all = (selector, value) => [...document.querySelectorAll(selector)].map(value);
document.documentElement.innerHTML = JSON.stringify({
  overflow: document.documentElement.scrollWidth - window.innerWidth,
  bars: all('.bar', box), segments: all('.bar .seg', box), nodes: all('.node', box), cells: all('td', box),
  colours: all('.bar .seg', e => getComputedStyle(e).backgroundColor),
  back: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
})</script>"""


def cluster():
    whole = {
        key: [each for one in ALL.values() for each in one.get(key, ())]
        for key in ("classes", "slices", "devices", "claims")
    }
    nodes = [each for one in ALL.values() for each in one["nodes"]]
    pods = [each for one in ALL.values() for each in one["pods"]]
    many = node("a-node-with-a-very-long-name-such-as-clouds-give-0123456789", {"nvidia.com/gpu": "16"})
    long = pod("p" * 200, many["metadata"]["name"], {"nvidia.com/gpu": "1"}, namespace="n" * 63)
    return {**whole, "nodes": [*nodes, many], "pods": [*pods, long]}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    text = "".join(html_page.page(collected(cluster()), "GPUs of a test"))
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    # Nodes out of sight are not laid out, and their bars would have no size.
    text = text.replace("content-visibility:auto", "content-visibility:visible")
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(text.replace("</body>", f"{MEASURE}</body>"))
    return path


def seen(page, width, *flags):
    """What the browser makes of the page in a window of that width.

    A window of Chromium's own cannot be narrower than 500, so the page is shown in a frame.
    """
    frame = page.with_name(f"frame{width}.html")
    frame.write_text(
        f'<iframe id=f src="{page.name}" style="border:0;width:{width}px;height:3000px"></iframe><script>'
        "f.onload = () => { document.documentElement.innerHTML = f.contentDocument.documentElement.textContent }</script>"
    )
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom",
        f"--user-data-dir={page.parent}/profile", "--virtual-time-budget=5000", "--window-size=1600,3000", *flags,
        frame.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(re.search(r"\{.*\}", done.stdout, re.DOTALL)[0])


@pytest.fixture(scope="module")
def phone(page):
    return seen(page, 390)


@pytest.fixture(scope="module")
def desk(page):
    return seen(page, 1500)


def test_nothing_runs_out_of_a_phone_s_width(phone):
    assert phone["overflow"] <= 0
    for left, _, width, height in [*phone["bars"], *phone["nodes"], *phone["cells"]]:
        assert left >= 0
        assert left + width <= 390
        assert height > 0


def test_a_desk_shows_nodes_side_by_side_and_a_phone_below_each_other(phone, desk):
    assert len({left for left, *_ in phone["nodes"]}) == 1
    assert len({left for left, *_ in desk["nodes"]}) > 1
    assert desk["overflow"] <= 0


def test_bars_are_wide_enough_to_be_seen_and_segments_lie_within_them(phone, desk):
    for view in (phone, desk):
        assert min(width for _, _, width, _ in view["bars"]) >= 100
        assert all(width >= 2 for _, _, width, _ in view["segments"])


def test_namespaces_have_colours_of_their_own(desk):
    assert len(set(desk["colours"])) >= 4


def lightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def test_light_and_dark_are_the_readers_choice(page, desk):
    dark = seen(page, 1500, "--blink-settings=preferredColorScheme=0")
    assert lightness(desk["back"]) > lightness(desk["ink"])
    assert lightness(dark["back"]) < lightness(dark["ink"])
    assert dark["colours"] != desk["colours"]
