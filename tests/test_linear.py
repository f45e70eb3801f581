"""Every function that reads a string of a user's does work in proportion to its length: counted, never timed.

The work at one, two and three times a length is compared: what the third part adds may hardly exceed what the second
added. A fault that goes with the square of the length adds two thirds more.
"""

import contextlib
import functools
import importlib
import json
import pkgutil
import re
from re import _constants as codes  # what Python's own parser of expressions is made of
from re import _parser as parser

import hostile_strings
import pytest
import work
from hostile_strings import ENDS, STARTS, UNITS, hostile

import gpu_admission
import policies

TOLERANCE = 1.2
NOISE = 2000  # operations: what a limit that is passed on the way may add once
LENGTH = 12_000
MEGABYTES = 3_000_000


@pytest.fixture(scope="module")
def load():
    with work.counting():
        yield functools.cache(lambda name: importlib.import_module(f"gpu_admission.{name}"))


def assert_linear(run, *, length=LENGTH):
    """``run`` takes a length and returns the work that an input of that length is."""
    once, twice, thrice = (run(length * times) for times in (1, 2, 3))
    added, added_again = twice - once, thrice - twice
    assert added_again <= TOLERANCE * max(added, length) + NOISE, (once, twice, thrice)
    return thrice


def silently(*errors):
    """Return a caller that takes a refusal for an answer."""

    def call(function, *arguments):
        with contextlib.suppress(*errors):
            function(*arguments)

    return call


def quantities(load):
    quantity, hint = load("core.quantity"), load("core.quantity_hint")
    call = silently(quantity.QuantityError)

    def read(text):
        call(quantity.parse, text)
        call(lambda: str(quantity.parse(text).in_thousandths()))
        call(lambda: quantity.parse(text).canonical())
        hint.explain(text)

    return read


def names(load):
    resources, misspelt, kinds = load("core.resources"), load("core.misspelt"), load("core.kinds")

    def read(text):
        resources.classify(text)
        resources.is_extended(text)
        resources.is_refused(text)
        resources.for_container(text)
        resources.asks_by_annotation({text: text})
        misspelt.meant(text, ["example.com/gpu"])
        misspelt.squashed(text)
        misspelt.is_offered(text)
        kinds.split_group(text)
        load("core.nearest").meant(text, ["enforce", "warn"])
        load("core.nearest").nearest(text, ["nvidia.com/gpu"], 2)
        load("backends.mig").profile_name(text)

    return read


def paths(load):
    hostpaths, markers = load("rules.hostpaths"), load("rules.markers")

    def read(text):
        hostpaths.lexical(text)
        path = hostpaths.normal(text)
        hostpaths.within(path, markers.DEVICE_PATHS)
        hostpaths.parent_of(path)
        hostpaths.completes(path)

    return read


def annotations(load):
    injection, markers, occasions = load("rules.injection"), load("rules.markers"), load("rules.occasions")

    def read(text):
        injection.brings_cdi(text)
        injection.cards("devices.nri.io/container.a", text)
        injection.cards(text, text)
        markers.TRUSTED_ANNOTATIONS.of(text)
        markers.TRUSTED_LABELS.of(text)
        occasions.may_be_mark(text)
        occasions.is_gpu_variable(text)
        occasions.names_gpu_variable([text])

    return read


def kai(load):
    amounts, words, refusal = load("backends.kai_amounts"), load("backends.kai_words"), load("backends.refusal")
    call = silently(refusal.Refused)

    def read(text):
        for function in (amounts.number, amounts.in_mib, amounts.parsed):
            call(function, text)
        call(amounts.in_bytes, "gpu-memory", text)
        call(amounts.part_of, "gpu-fraction", text, 1000, "a card")
        for said in ({"gpu-memory": text}, {"gpu-fraction": text}, {"gpu-fraction": "0.5", text: "1Gi"}):
            call(words.read, "train", said)
            call(words.in_bytes, said)

    return read


def variables(load):
    environment, known = load("rules.environment"), load("rules.runtime_variables")

    def read(text):
        for each in known.DEVICE_LISTS.values():
            each.shows_none(text)
        known.device_list(text)
        environment.expand(text, {"A": "$(B)"})
        environment.expand("$(A)" * 100 + text, {"A": text}, open_ended=True)

    return read


def messages(load):
    shape, pointer, wording = load("core.shape"), load("core.pointer"), load("admission.wording")
    call = silently(pointer.PointerError)

    def read(text):
        shape.shown(text)
        shape.printable(text)
        shape.is_placeholder(text)
        call(pointer.from_text, text)
        pointer.to_text(("metadata", "annotations", text))
        wording._cuts(text[:300], wording._CLAUSE)

    return read


def placement(load):
    tolerations, exemptions = load("rules.tolerations"), load("core.exemptions")
    patterns = exemptions.NamePatterns(["kube-system", "system:serviceaccount:*:binder", "team-*-gpu", "*a*b*"])

    def read(text):
        tolerations.meant(text, ("nvidia.com/gpu", "amd.com/gpu"))
        patterns.match(text)

    return read


READERS = (quantities, names, paths, annotations, kai, variables, messages, placement)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_readers(load, reader, unit):
    read = reader(load)
    turn = list(UNITS).index(unit)
    for number, start in enumerate(["", *(STARTS[(turn + step) % len(STARTS)] for step in range(0, 20, 5))]):
        end = ENDS[number % len(ENDS)]
        run = lambda length, start=start, end=end: work.measure(read, hostile(UNITS[unit], length, start, end))  # noqa: E731
        run(10)  # what is loaded and remembered once
        assert_linear(run, length=5000)


@pytest.mark.parametrize("unit", ["roots", "parents", "slashes", "letters", "drivers"])
def test_paths_of_three_megabytes(load, unit):
    read = paths(load)
    text = hostile(UNITS[unit], MEGABYTES)
    assert work.measure(read, text) < 64 * len(text)


def review(obj, **more):
    request = {"uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "object": obj}
    request |= {"namespace": "team", "userInfo": {"username": "u"}, **more}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def decider(load, name):
    if name == "all-on":
        policy = load("core.policy").Policy(name, policies.ALL_ON.spec)
    else:
        policy = load("files.policyfile").load(name)
    return load("admission.decision").Decider({None: policy}.get)


def answer(decide, sent):
    body = json.dumps(sent).encode()

    def both():
        for endpoint in ("mutate", "validate"):
            assert decide(body, endpoint).status == 200

    return work.measure(both)


KEPT = {("kind",), ("apiVersion",), ("kind", None), ("apiVersion", None)}
POD = hostile_strings.pod()
PLACES = [at for at in hostile_strings.places(POD) if at not in KEPT]
VALUES = [at for at in PLACES if at[-1] is not None]


def filled(unit, length, shift):
    """Return the Pod with a long string of this sort in every place that holds a string."""
    obj = POD
    for number, at in enumerate(VALUES):
        start = ("", *STARTS)[(number + shift) % (len(STARTS) + 1)] if shift else ""
        obj = hostile_strings.put(obj, at, hostile(UNITS[unit], length, start))
    return obj


@pytest.mark.parametrize("unit", UNITS)
def test_a_review_with_a_hostile_string_in_every_field(load, unit):
    decide = decider(load, ("all-on", "hami", "koordinator")[list(UNITS).index(unit) % 3])
    answer(decide, review(POD))
    for shift in (0, 1 + len(unit)):
        assert_linear(lambda length, shift=shift: answer(decide, review(filled(unit, length, shift))), length=4500)


KEYS = list({at[-2]: at for at in PLACES if at[-1] is None}.values())


@pytest.mark.parametrize("number", range(len(KEYS)), ids=lambda number: KEYS[number][-2])
def test_a_review_with_a_hostile_key(load, number):
    """Each key in turn: of all keys of a mapping only one can have a given text."""
    decide = decider(load, "all-on")
    answer(decide, review(POD))
    unit, start = list(UNITS.values())[number % len(UNITS)], STARTS[number % len(STARTS)]
    assert_linear(
        lambda length: answer(decide, review(hostile_strings.put(POD, KEYS[number], hostile(unit, length, start)))),
        length=40_000,
    )


@pytest.mark.parametrize("unit", ["roots", "letters", "devices", "quotes", "open references"])
def test_an_update_of_a_hostile_pod(load, unit):
    decide = decider(load, "all-on")
    answer(decide, review(POD, operation="UPDATE", oldObject=POD))
    run = lambda length: answer(  # noqa: E731
        decide, review(filled(unit, length, 0), operation="UPDATE", oldObject=filled(unit, length + 1, 0))
    )
    assert_linear(run, length=4500)


LISTS = [("volumes",), ("tolerations",), ("containers", 0, "env"), ("containers", 0, "volumeMounts"), ("containers",)]


def crowded(where, count):
    """Return the Pod with many items in one of its lists, and a long string wherever there is one else."""
    obj = filled("roots", 30 * count, 0)
    around = obj["spec"]
    for step in where[:-1]:
        around = around[step]
    model = around[where[-1]][0]
    around[where[-1]] = around[where[-1]] + [
        {**model, **({"name": f"n{number}"} if "name" in model else {})} for number in range(count)
    ]
    if where[-1] == "containers":
        plain = {"image": "i", "volumeMounts": [{"name": "root", "mountPath": "/x", "subPath": "dev/dri"}]}
        around["containers"] = [{"name": f"c{number}", **plain} for number in range(count)]
    for item in around[where[-1]]:
        if where[-1] != "containers":
            item.update({key: "/x" for key, value in item.items() if isinstance(value, str) and key != "name"})
            item.update({"hostPath": {"path": "/"}} if "hostPath" in item else {})
    return obj


@pytest.mark.parametrize("where", LISTS, ids=lambda where: where[-1])
def test_many_items_beside_long_strings(load, where):
    """A long string is not read again for each of many items."""
    decide = decider(load, "default")
    answer(decide, review(POD))
    assert_linear(lambda count: answer(decide, review(crowded(where, count))), length=150)


OLD_NORMAL = """
ROOTS = tuple(f"/proc/{who}/{link}/" for who in ("1", "self", "thread-self") for link in ("root", "cwd"))
def normal(path):
    parts = [part for part in path.split("/") if part not in {"", "."}]
    plain = "/" + "/".join([*parts, ""])
    while plain.startswith(ROOTS):
        plain = "/" + plain.split("/", 4)[4]
    return plain
"""
SQUARES = {
    "links cut off one by one": (OLD_NORMAL, "/proc/1/root"),
    "text put together": ("def normal(t):\n    s = ''\n    for c in t:\n        s += c\n", "a"),
    "text cut from the front": ("def normal(t):\n    while t:\n        t = t[1:]\n", "a"),
    "looked for from each place on": ("def normal(t):\n    return [t.find('x', at) for at in range(len(t))]\n", "a"),
    "a list searched": ("def normal(t):\n    return [n for n in range(len(t)) if n in list(range(len(t)))]\n", "a"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SQUARES)
def test_the_counter_sees_what_goes_with_the_square(load, fault):
    """The first is what this package did once: 60,000 links to the root took seconds."""
    source, unit = SQUARES[fault]
    space = {}
    exec(work.weighed(source), space)
    with pytest.raises(AssertionError):
        assert_linear(lambda length: work.measure(space["normal"], hostile(unit, length)), length=1200)


# Expressions with a repetition inside a repetition, and why they take linear time all the same.
NESTED = {
    "core.shape._PLACEHOLDER": "each part of the inner one begins with an underscore that it cannot contain",
    "core.resources._SUBDOMAIN": "a part ends at a dot, which no part can contain",
    "admission.app.GO_DURATION": "bounded: nine digits, four parts",
}


def nested(tree, inside=False):
    """Tell whether an expression repeats without bound what itself repeats something without bound."""
    for code, argument in tree:
        if code in {codes.MAX_REPEAT, codes.MIN_REPEAT}:
            endless = argument[1] is codes.MAXREPEAT
            if (endless and inside) or nested(argument[2], inside or endless):
                return True
        elif code is codes.SUBPATTERN:
            if nested(argument[3], inside):
                return True
        elif code is codes.BRANCH:
            if any(nested(branch, inside) for branch in argument[1]):
                return True
        elif code in {codes.ASSERT, codes.ASSERT_NOT} and nested(argument[1], inside):
            return True
    return False


def expressions():
    for module in pkgutil.walk_packages(gpu_admission.__path__, "gpu_admission."):
        if module.name.endswith(("__main__", "gunicorn_conf")):
            continue
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            if isinstance(value, re.Pattern):
                yield f"{module.name.removeprefix('gpu_admission.')}.{name}", value


def test_expressions_do_not_backtrack_without_bound():
    found = {name for name, value in expressions() if nested(parser.parse(value.pattern, value.flags))}
    assert found <= NESTED.keys(), found - NESTED.keys()
    assert nested(parser.parse(r"(a+)+$"))
    assert not nested(parser.parse(r"(a+b)[cd]*"))
