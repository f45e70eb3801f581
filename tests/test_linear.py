"""Every function that reads a string of a user's does work in proportion to its length: counted, never timed.

The work at one, two and three times a length is compared: what the third part adds may hardly exceed what the second
added. A fault that goes with the square of the length adds two thirds more.
"""

import contextlib
import functools
import importlib
import json

import hostile_strings
import pytest
import work
from hostile_strings import ENDS, STARTS, UNITS, hostile

import policies

pytestmark = pytest.mark.unmeasured  # what is measured is a copy of the code that counts

TOLERANCE = 1.2
NOISE = 2000  # operations: what a limit that is passed on the way may add once
MEGABYTES = 3_000_000


@pytest.fixture(scope="module")
def load():
    with work.counting():
        yield functools.cache(lambda name: importlib.import_module(f"gpu_admission.{name}"))


def assert_linear(run, *, length):
    """``run`` takes a length and returns the work that an input of that length is.

    What looks wrong is looked at once more with longer inputs: a limit is passed at one scale only.
    """
    if not is_linear(run, length):
        assert is_linear(run, 3 * length), [run(length * times) for times in range(1, 10)]


def is_linear(run, length):
    once, twice, thrice = (run(length * times) for times in (1, 2, 3))
    return thrice - twice <= TOLERANCE * max(twice - once, length) + NOISE


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
    resources, misspelt = load("workloads.resources"), load("workloads.resource_typos")
    share_annotations, kinds = load("workloads.share_annotations"), load("workloads.kinds")

    def read(text):
        resources.classify(text)
        resources.is_extended(text)
        resources.is_refused(text)
        share_annotations.for_container(text)
        share_annotations.may_request_share({text: text})
        misspelt.meant(text, ["example.com/gpu"])
        misspelt.squashed(text)
        misspelt.is_offered(text)
        kinds.split_group(text)
        load("core.typos").meant(text, ["enforce", "warn"])
        load("core.typos").nearest(text, ["nvidia.com/gpu"], 2)
        load("backends.mig").profile_name(text)

    return read


def paths(load):
    hostpaths, markers = load("rules.host_paths"), load("rules.gpu_markers")

    def read(text):
        hostpaths.lexical(text)
        path = hostpaths.normal(text)
        hostpaths.within(path, markers.DEVICE_PATHS)
        hostpaths.parent_of(path)
        hostpaths.completes(path)

    return read


def annotations(load):
    injection, markers, occasions = (
        load("rules.isolation.nri_devices"),
        load("rules.gpu_markers"),
        load("rules.triggers"),
    )

    def read(text):
        injection.brings_cdi(text)
        injection.cards("devices.nri.io/container.a", text)
        injection.cards(text, text)
        markers.TRUSTED_ANNOTATIONS.of(text)
        markers.TRUSTED_LABELS.of(text)
        occasions.names_gpu_variable([text])

    return read


def kai(load):
    amounts, annotations, refusal = (
        load("backends.kai_amounts"),
        load("backends.kai_reader"),
        load("backends.rejection"),
    )
    call = silently(refusal.RejectedRequestError)

    def read(text):
        for function in (amounts.number, amounts.in_mib, amounts.parsed):
            call(function, text)
        call(amounts.in_bytes, "gpu-memory", text)
        call(amounts.part_of, "gpu-fraction", text, 1000, "a card")
        for request in ({"gpu-memory": text}, {"gpu-fraction": text}, {"gpu-fraction": "0.5", text: "1Gi"}):
            call(annotations.read, "train", request)
            call(annotations.in_bytes, request)

    return read


def variables(load):
    environment, known = load("rules.env_vars"), load("rules.runtime_variables")

    def read(text):
        for each in known.DEVICE_LISTS.values():
            each.shows_none(text)
        known.device_list(text)
        environment.expand(text, {"A": "$(B)"})
        environment.expand("$(A)" * 100 + text, {"A": text}, open_ended=True)

    return read


def messages(load):
    shape, pointer = load("core.raw"), load("core.pointer")
    call = silently(pointer.PointerError)

    def read(text):
        shape.format_value(text)
        shape.escape(text)
        shape.is_placeholder(text)
        call(pointer.from_text, text)
        pointer.to_text(("metadata", "annotations", text))

    return read


def placement(load):
    tolerations, exemptions = load("rules.tolerations"), load("policy.exemptions")
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
    turn = list(UNITS).index(unit) + READERS.index(reader)  # each reader has every start and every end, in turn
    starts = ["", *STARTS]
    start, end = starts[turn % len(starts)], ENDS[turn % len(ENDS)]
    run = lambda length: work.measure(read, hostile(UNITS[unit], length, start, end))  # noqa: E731
    run(10)  # what is loaded and remembered once
    assert_linear(run, length=1500)


@pytest.mark.parametrize(("unit", "length"), [("letters", MEGABYTES), ("roots", MEGABYTES // 8), ("parents", 300_000)])
def test_long_paths(load, unit, length):
    """No limit far out, beyond the lengths of the other tests, makes it worse."""
    read = paths(load)
    text = hostile(UNITS[unit], length)
    assert work.measure(read, text) < 64 * len(text)


def review(obj, **more):
    request = {"uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "object": obj}
    request |= {"namespace": "team", "userInfo": {"username": "u"}, **more}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


@pytest.fixture(scope="module")
def decider(load):
    """Deciders by policy; each has judged the Pod before, so that what is loaded and remembered once is."""

    @functools.cache
    def made(name):
        if name == "all-on":
            policy = load("policy.model").Policy(name, policies.ALL_ON.spec)
        else:
            policy = load("policyfile.loader").load(name)
        decide = load("webhook.review.handler").Decider({None: policy}.get)
        answer(decide, review(POD))
        answer(decide, review(POD, operation="UPDATE", oldObject=POD))
        return decide

    return made


ENDPOINTS = ("mutate", "validate")


def answer(decide, sent, endpoints=ENDPOINTS):
    body = json.dumps(sent).encode()

    def judged():
        for endpoint in endpoints:
            assert decide(body, endpoint).status == 200

    return work.measure(judged)


KEPT = {("kind",), ("apiVersion",), ("kind", None), ("apiVersion", None)}
POD = hostile_strings.pod()
VALUES = [at for at in hostile_strings.places(POD) if at not in KEPT and at[-1] is not None]


def filled(unit, length, *, every=1, turn=0, varied=False):
    """Return the Pod with a long string of this sort in every place that holds a string, or in every second one …

    Where few are filled, a fault in the reader of one of them stands out more. ``varied``: each begins otherwise.
    """
    obj = POD
    for number, at in list(enumerate(VALUES))[turn % every :: every]:
        start = STARTS[(number // every + turn) % len(STARTS)] if varied else ""
        obj = hostile_strings.put(obj, at, hostile(UNITS[unit], length, start))
    return obj


def judged_in_turn(decide, unit):
    """Have one half of the places filled for one endpoint, the other half for the other; the next sort swaps them."""
    turn = list(UNITS).index(unit)
    for step, endpoint in enumerate(ENDPOINTS):
        how = {"every": 2, "turn": turn + step, "varied": bool(step)}
        run = lambda length, how=how, at=endpoint: answer(decide, review(filled(unit, length, **how)), [at])  # noqa: E731
        assert_linear(run, length=1500)


@pytest.mark.parametrize("unit", UNITS)
def test_a_review_with_hostile_strings(decider, unit):
    judged_in_turn(decider(("all-on", "hami", "koordinator")[list(UNITS).index(unit) % 3]), unit)


ROLES = ("containers", "initContainers", "ephemeralContainers")
PLAIN = {"name": "plain", "image": "example.com/plain:1"}


def pod_of_one(role):
    """Return the Pod with only one container that is of interest."""
    obj = hostile_strings.pod(containers=[PLAIN], initContainers=[], ephemeralContainers=[])
    obj["spec"][role] = [hostile_strings.container("train", restartPolicy="Always")]
    return obj


PODS = {role: pod_of_one(role) for role in ROLES}
NAMES_OF_KEYS = list(
    {at[-2]: None for pod in PODS.values() for at in hostile_strings.places(pod) if at[-1] is None and at not in KEPT}
)


def place_of_key(obj, key):
    return next((at for at in hostile_strings.places(obj) if at[-2:] == (key, None)), None)


@pytest.mark.parametrize("number", range(len(NAMES_OF_KEYS)), ids=NAMES_OF_KEYS.__getitem__)
def test_a_review_with_a_hostile_key(decider, number):
    """Each key in turn: of all keys of a mapping only one can have a given text."""
    decide = decider("all-on")
    key, unit, start = NAMES_OF_KEYS[number], list(UNITS.values())[number % len(UNITS)], STARTS[number % len(STARTS)]
    pod = next(obj for obj in (PODS[ROLES[number % 3]], *PODS.values()) if place_of_key(obj, key))
    run = lambda length: answer(  # noqa: E731
        decide,
        review(hostile_strings.put(pod, place_of_key(pod, key), hostile(unit, length, start))),
        [ENDPOINTS[number % 2]],
    )
    assert_linear(run, length=10_000)


@pytest.mark.parametrize("unit", ["roots", "letters", "devices", "quotes", "open references"])
def test_an_update_of_a_hostile_pod(decider, unit):
    decide = decider("all-on")
    run = lambda length: answer(  # noqa: E731
        decide, review(filled(unit, length), operation="UPDATE", oldObject=filled(unit, length + 1))
    )
    assert_linear(run, length=2000)


LISTS = [("volumes",), ("tolerations",), ("containers", 0, "env"), ("containers", 0, "volumeMounts"), ("containers",)]


def crowded(where, count):
    """Return the Pod with many items in one of its lists, and a long string wherever there is one else."""
    obj = filled("roots", 90 * count)
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
def test_many_items_beside_long_strings(decider, where):
    """A long string is not read again for each of many items."""
    assert_linear(lambda count: answer(decider("default"), review(crowded(where, count))), length=20)


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
        assert_linear(lambda length: work.measure(space["normal"], hostile(unit, length)), length=400)


def test_the_reviews_would_find_it_too(load, decider, monkeypatch):
    """One reader of one field, among all that a review reads, is enough to be seen."""
    space = {}
    exec(work.weighed(OLD_NORMAL), space)
    monkeypatch.setattr(load("rules.host_paths"), "normal", space["normal"])
    with pytest.raises(AssertionError):
        judged_in_turn(decider("all-on"), "roots")
    read = paths(load)
    with pytest.raises(AssertionError):
        assert_linear(lambda length: work.measure(read, hostile(UNITS["roots"], length)), length=3000)
