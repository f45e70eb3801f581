"""Paths of the node in every form: the tables, their normalisation, and the expressions for conditions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission.registration import path_conditions
from gpu_admission.rules import gpu_markers, host_paths
from rules.host_volumes import mounting, sub
from rules.table import Row, judge

TABLE = [*gpu_markers.DEVICE_PATHS, *gpu_markers.SOCKET_PATHS]


@pytest.mark.parametrize("path", [*TABLE, *gpu_markers.DRIVER_ROOTS])
def test_the_tables_are_written_as_paths_are_compared(path):
    assert host_paths.normal(path) == path


@pytest.mark.parametrize("table", [gpu_markers.DEVICE_PATHS, gpu_markers.SOCKET_PATHS], ids=["devices", "sockets"])
@pytest.mark.parametrize("tail", ["", "/", "0", "/0", "x/y", "-"])
@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_a_look_at_how_paths_begin_leaves_none_out(table, tail, cut):
    for place in TABLE:
        whole = place.rstrip("*")
        path = host_paths.normal(whole[: len(whole) - cut] + tail)
        led_to = next((what for each, what in table.items() if host_paths.inside(path, each)), None)
        assert host_paths.within(path, table) == led_to


def test_only_parents_have_something_below_them():
    folders = {host_paths.normal(place.rstrip("*")[:end]) for place in TABLE for end in range(len(place))}
    threads = "/proc/self/task"  # each with the same open files, in a place of its own
    assert folders > host_paths.PARENTS - gpu_markers.DRIVER_PARENTS - {threads}
    assert host_paths.parent_of(threads)
    for path in folders:
        above = any(place.startswith(f"{path.rstrip('/')}/") for place in TABLE)
        assert (host_paths.parent_of(path) is not None) == (above or path in gpu_markers.DRIVER_PARENTS), path


def test_driver_parents_are_driver_roots():
    assert set(gpu_markers.DRIVER_ROOTS) >= gpu_markers.DRIVER_PARENTS


@pytest.mark.parametrize("place", gpu_markers.DEVICE_PATHS)
@pytest.mark.parametrize("role", ["containers", "initContainers", "ephemeralContainers"])
def test_every_device_path_is_found_in_every_way_to_mount_it(place, role):
    path = place.rstrip("*") + ("0" if place.endswith("*") else "")
    for origin in ("file", "admission"):
        for made in (
            mounting(path),
            mounting(f"/proc/1/root{path}"),
            mounting(path.lstrip("/")),
            sub("/", role=role, subPath=path[1:]),
            sub("/proc/9/cwd", role=role, subPathExpr=path[1:]),
        ):
            assert "error" in [each.severity for each in judge("GPU304", Row("", made), origin)], made
            held = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": made["spec"]}}}
            assert "error" in [each.severity for each in judge("GPU304", Row("", held), origin)], made


def as_python(condition):
    """The condition on a path ``p``, as a function: it is made of few functions and literals of texts."""
    for cel, python in (
        ("p.size()", "len(p)"), ("p.contains(", "p.__contains__("),
        ("p.startsWith(", "p.startswith("), ("p.endsWith(", "p.endswith("), ("p.matches(", "matches("), ("||", "or"),
        ("&&", "and"), ("!p", "not p"),
    ):  # fmt: skip
        condition = condition.replace(cel, python)
    condition = re.sub(r"p\.substring\(0, (\d+)\)", r"p[:\1]", condition)
    code = compile(condition, "condition", "eval")
    return lambda path: eval(code, {"p": path, "matches": lambda pattern: bool(re.search(pattern, path))})


_DEVICES = frozenset(gpu_markers.DEVICE_PATHS)
CALLS_FOR_DEVICES = as_python(
    f"{path_conditions.may_lead('p', _DEVICES)} && {path_conditions.leads_to('p', path_conditions.below(_DEVICES))}"
)
CALLS_FOR_SUB_PATHS = as_python(path_conditions.leads_to("p", f"^{host_paths.folders(host_paths.SUB_PATH_PARENTS)}"))


PROCESSES = st.sampled_from(["1", "self", "thread-self", "31337", "self/task/5", "1/task/1"])
ROOTS = st.sampled_from(["", "", *(f"{root[1:]}/" for root in gpu_markers.DRIVER_ROOTS)])
LINKS = st.lists(
    st.tuples(ROOTS, st.just("proc/"), PROCESSES, st.sampled_from(["/root", "/cwd"])).map("".join), max_size=3
)
SLASHES = st.sampled_from(["/", "//", "/./", "/.//./"])


@st.composite
def spelled(draw):
    """Draw a place of the tables, and one of the ways to write it or a path below it."""
    place = draw(st.sampled_from(TABLE))
    names = place.rstrip("*").strip("/").split("/")
    if names[0] == "run":
        names = draw(st.sampled_from([names, ["var", *names]]))
    if names[:2] == ["proc", "self"]:
        names = ["proc", *draw(PROCESSES).split("/"), *names[2:]]
    if names[0] in {"dev", "proc"}:
        names = draw(st.sampled_from(["", *gpu_markers.DRIVER_ROOTS])).split("/")[1:] + names
    if place.endswith("*"):
        names[-1] += draw(st.sampled_from(["", "0", "-x"]))
    names = [name for link in draw(LINKS) for name in link.split("/")] + names + draw(st.sampled_from([[], ["x"]]))
    text = draw(st.sampled_from(["", "/", "//", "./", "/./"])) + names[0]
    return place, "".join([text, *(draw(SLASHES) + name for name in names[1:])]) + draw(st.sampled_from(["", "/"]))


@given(spelled())
def test_every_spelling_is_seen_through_and_an_expression_can_match_it(drawn):
    place, path = drawn
    assert host_paths.inside(host_paths.normal(path), place)
    assert re.match(host_paths.ROOT_LINKS + host_paths.pattern(place), path)
    assert place not in gpu_markers.DEVICE_PATHS or CALLS_FOR_DEVICES(path)


PARTS = ["dev", "nvidia0", "proc", "1", "self", "root", "cwd", "task", "var", "run", "cdi", "fd", ".", "", "driver"]


@given(st.lists(st.sampled_from([*PARTS, "nvidia", "char", "kfd", "etc", "x"]), max_size=9), st.booleans())
def test_what_an_expression_does_not_match_is_no_place_of_the_tables(parts, absolute):
    path = "/" * absolute + "/".join(parts)
    found = [place for place in TABLE if re.match(host_paths.ROOT_LINKS + host_paths.pattern(place), path)]
    assert found == [place for place in TABLE if host_paths.inside(host_paths.normal(path), place)]


@given(
    st.lists(st.sampled_from([*PARTS, "nvidia", "kubernetes", "bin", "home", "opt", "lib"]), max_size=7), st.booleans()
)
def test_the_conditions_call_for_whatever_is_found(parts, absolute):
    path = "/" * absolute + "/".join(parts)
    if path and ".." not in parts:
        if any(host_paths.inside(host_paths.normal(path), place) for place in gpu_markers.DEVICE_PATHS):
            assert CALLS_FOR_DEVICES(path)
        if host_paths.normal(path) in host_paths.SUB_PATH_PARENTS:
            assert CALLS_FOR_SUB_PATHS(path)
