"""Edits: each operation makes the change of an edit by hand, and keeps every other byte."""

import pytest

from gpu_admission.core.patch import Operation, PatchError
from gpu_admission.manifests.reader import read
from gpu_admission.yamledit import edit as edit_module
from gpu_admission.yamledit.edit import EditRefusedError, edit, identical

TRAIN = ("spec", "containers", 0)


def edited(text, *operations, name="a.yaml", index=0):
    """Return the text after operations, each given as op, path and value."""
    return edit(text.encode(), [(index, [Operation("GPU000", *operation) for operation in operations])], name).decode()


def add(*path, value):
    return "add", path, value


def replace(*path, value):
    return "replace", path, value


def remove(*path):
    return "remove", path


POD = """\
# training
apiVersion: v1
kind: Pod   # just one
spec:
  containers:
  - name: train
    image: "img:1"
    resources:
      requests:
        nvidia.com/gpu: 1  # one card
        memory: '8Gi'
    # the helper
  - name: helper
    env: []
    resources: {}
    command: [a, "b"]
"""


@pytest.mark.parametrize(
    ("operation", "old", "new"),
    [
        # scalars keep their quotes, and the comment behind them
        (replace(*TRAIN, "resources", "requests", "nvidia.com/gpu", value=2), "gpu: 1  # one", "gpu: 2  # one"),
        (replace(*TRAIN, "resources", "requests", "nvidia.com/gpu", value="2"), "gpu: 1  # one", 'gpu: "2"  # one'),
        (replace(*TRAIN, "image", value="on"), '"img:1"', '"on"'),
        (replace(*TRAIN, "resources", "requests", "memory", value="it's"), "'8Gi'", "'it''s'"),
        (replace(*TRAIN, "resources", "requests", "memory", value=16), "'8Gi'", "16"),
        (replace("kind", value="Job"), "Pod   # just", "Job   # just"),
        (replace("kind", value="no"), "Pod", '"no"'),
        (add("kind", value="Job"), "Pod", "Job"),
        (replace(*TRAIN, "name", value=None), "name: train", "name: null"),
        (replace("spec", "containers", 1, "command", 1, value="c: d"), '"b"', '"c: d"'),
        # new keys are inserted below their siblings
        (
            add(*TRAIN, "resources", "limits", value={"nvidia.com/gpu": 1}),
            "'8Gi'\n",
            "'8Gi'\n      limits:\n        nvidia.com/gpu: 1\n",
        ),
        (add(*TRAIN, "resources", "requests", "on", value=True), "'8Gi'\n", "'8Gi'\n        \"on\": true\n"),
        (
            add("spec", "tolerations", value=[{"key": "nvidia.com/gpu", "operator": "Exists"}]),
            '"b"]\n',
            '"b"]\n  tolerations:\n  - key: nvidia.com/gpu\n    operator: Exists\n',
        ),
        (add("spec", "empty", value={}), '"b"]\n', '"b"]\n  empty: {}\n'),
        # empty collections open up
        (
            add("spec", "containers", 1, "resources", "limits", value={"nvidia.com/gpu": "1"}),
            "resources: {}",
            'resources:\n      limits:\n        nvidia.com/gpu: "1"',
        ),
        (
            add("spec", "containers", 1, "env", "-", value={"name": "A", "value": "void"}),
            "env: []",
            "env:\n    - name: A\n      value: void",
        ),
        # lists
        (add("spec", "containers", 1, "command", "-", value="c"), '"b"]', '"b", c]'),
        (add("spec", "containers", 1, "command", 0, value="c"), "[a,", "[c, a,"),
        (add("spec", "containers", "-", value={"name": "c"}), '"b"]\n', '"b"]\n  - name: c\n'),
        (add("spec", "containers", 0, value={"name": "c"}), "  - name: train", "  - name: c\n  - name: train"),
        (add("spec", "containers", 1, value="x"), "'8Gi'\n", "'8Gi'\n  - x\n"),
        # removing takes whole lines
        (remove(*TRAIN, "resources", "requests", "memory"), "        memory: '8Gi'\n", ""),
        (
            remove(*TRAIN, "resources", "requests"),
            "resources:\n      requests:\n        nvidia.com/gpu: 1  # one card\n        memory: '8Gi'\n",
            "# one card\n    resources: {}\n",
        ),
        (remove("kind"), "kind: Pod   # just one\n", "# just one\n"),
        (remove(*TRAIN, "name"), "- name: train\n    image", "- image"),
        (remove("spec", "containers", 1, "command", 0), '[a, "b"]', '["b"]'),
        (remove("spec", "containers", 1, "command", 1), '[a, "b"]', "[a]"),
        (
            remove("spec", "containers", 1),
            '  - name: helper\n    env: []\n    resources: {}\n    command: [a, "b"]\n',
            "",
        ),
        # a collection replaces another: only differences are changed
        (
            replace(*TRAIN, "resources", "requests", value={"memory": "8Gi"}),
            "        nvidia.com/gpu: 1  # one card\n",
            "        # one card\n",
        ),
        (replace("spec", "containers", 1, "command", value=["a", "c"]), '"b"', '"c"'),
        (replace("spec", "containers", 1, "command", value=["a"]), '[a, "b"]', "[a]"),
        (replace("spec", "containers", 1, "command", value="sh"), '[a, "b"]', "sh"),
        (replace("spec", "containers", 1, "command", value={"a": 1}), ' [a, "b"]', "\n      a: 1"),
        (replace("kind", value=["a"]), "kind: Pod   # just one", "kind:   # just one\n- a"),
    ],
)
def test_one_operation(operation, old, new):
    assert POD.count(old) == 1
    assert edited(POD, operation) == POD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "operation", "expected"),
    [
        ("a:\n  b:\n  - 1\n", add("a", "b", "-", value=2), "a:\n  b:\n  - 1\n  - 2\n"),
        (
            "a:\n    b:\n        - 1\n",
            add("a", "c", value={"d": [1]}),
            "a:\n    b:\n        - 1\n    c:\n        d:\n            - 1\n",
        ),
        ("a: b", add("c", value=1), "a: b\nc: 1"),
        ("a: b", remove("a"), "{}"),
        ("a: b\nc: d", remove("c"), "a: b\n"),
        ("- a\n- b", remove(1), "- a\n"),
        ("- a\n- b\n", remove(0), "- b\n"),
        ("- a\n", remove(0), "[]\n"),
        ("- - a\n  - b\n", remove(0, 0), "- - b\n"),
        ("- - a\n  - b\n", add(0, 0, value="c"), "- - c\n  - a\n  - b\n"),
        ("- a\n", replace(0, value={"b": 1, "c": [2]}), "- b: 1\n  c:\n  - 2\n"),
        ("-\n", replace(0, value="b"), "- b\n"),
        ("a:\nb: 1\n", replace("a", value=2), "a: 2\nb: 1\n"),
        ("a: # why\nb: 1\n", replace("a", value=2), "a: 2 # why\nb: 1\n"),
        ("a: # why\nb: 1\n", add("a", value={"c": 1}), "a: # why\n  c: 1\nb: 1\n"),
        ("a: {} # why\nb: 1\n", add("a", "c", value=1), "a: # why\n  c: 1\nb: 1\n"),
        ("a:\n  # why\n  b: 1\n", remove("a", "b"), "a: {}\n  # why\n"),
        ("a: |\n  x\n\nb: 1\n", replace("a", value="z"), "a: z\n\nb: 1\n"),
        ("a: |\n  x\n\nb: 1\n", remove("a"), "\nb: 1\n"),
        ("a:\n  b: |\n    x\n\n# c\n", add("a", "c", value=1), "a:\n  b: |\n    x\n  c: 1\n\n# c\n"),
        ("a:\n  b: |+\n    x\n\n", add("a", "c", value=1), "a:\n  b: |+\n    x\n\n  c: 1\n"),
        ("a: 'x\n  y'\nb: 1\n", replace("a", value="z"), "a: 'z'\nb: 1\n"),
        ("a: x\n  y # c\nb: 1\n", replace("a", value="z"), "a: z # c\nb: 1\n"),
        ("{a: 1, b: 2}\n", add("c", value={"d": [1, "x y"]}), "{a: 1, b: 2, c: {d: [1, x y]}}\n"),
        ("{a: 1, b: 2}\n", remove("a"), "{b: 2}\n"),
        ("{a: 1, b: 2}\n", remove("b"), "{a: 1}\n"),
        ("{ a: 1 }\n", remove("a"), "{}\n"),
        ("{a: 1, }\n", add("b", value=2), "{a: 1, b: 2, }\n"),
        ("a: [\n  1, # one\n  2 # two\n]\n", add("a", "-", value=3), "a: [\n  1, # one\n  2, # two\n  3\n]\n"),
        ("a: [\n  1,\n  2\n]\n", add("a", 1, value=3), "a: [\n  1,\n  3,\n  2\n]\n"),
        ("a: [\n  1,\n  2\n]\n", remove("a", 1), "a: [\n  1\n]\n"),
        ("a: [{}]\n", add("a", 0, "b", value=1), "a: [{b: 1}]\n"),
        ("- {}\n", add(0, "b", value=1), "- {b: 1}\n"),
        ("a: &x [1]\nb: *x\n", replace("b", value=1), "a: &x [1]\nb: 1\n"),
        ("a: &x [1]\nb: *x\n", remove("b"), "a: &x [1]\n"),
        ("a: &x !!str 1 # c\n", replace("a", value="z"), "a: z # c\n"),
        ("a: {b: !!int 1}\n", remove("a", "b"), "a: {}\n"),
        (
            "x: &x {a: 1}\nz:\n  <<: *x\n  b: 1\n",
            add("z", "c", value=1),
            "x: &x {a: 1}\nz:\n  <<: *x\n  b: 1\n  c: 1\n",
        ),
        ("--- # c\na: 1\n...\n---\nb: 1\n", add("c", value=1), "--- # c\na: 1\nc: 1\n...\n---\nb: 1\n"),
        ("a:\r\n  b: 1\r\n", add("a", "c", value={"d": 1}), "a:\r\n  b: 1\r\n  c:\r\n    d: 1\r\n"),
        ("\ufeffa: 1\r\nb: 2\r\n", remove("b"), "\ufeffa: 1\r\n"),
        ('# c\n{"a": "x"}\n', add("b", value={"c": ["d", 1]}), '# c\n{"a": "x", "b": {"c": ["d", 1]}}\n'),
        ('a:\n- {"b": x}\n', add("a", 0, "c", value="d"), 'a:\n- {"b": x, c: d}\n'),
        ("a:   1\n", replace("a", value=2), "a:   2\n"),
        ("\"a b\": 1\n'c': 2\n", replace("a b", value=2), "\"a b\": 2\n'c': 2\n"),
    ],
)
def test_ways_to_write_yaml(text, operation, expected):
    assert edited(text, operation) == expected


@pytest.mark.parametrize(
    ("text", "operation", "expected"),
    [
        (
            '{\n  "a": 1\n}\n',
            add("b", value={"c": [1, {}]}),
            '{\n  "a": 1,\n  "b": {\n    "c": [\n      1,\n      {}\n    ]\n  }\n}\n',
        ),
        ('{\n    "a": {}\n}', add("a", "b", value="on"), '{\n    "a": {\n        "b": "on"\n    }\n}'),
        ('{\n\t"a": []\n}', add("a", "-", value=1), '{\n\t"a": [\n\t\t1\n\t]\n}'),
        ('{"a":1,"b":[1,2]}', add("b", "-", value={"c": "d"}), '{"a":1,"b":[1,2,{"c":"d"}]}'),
        ('{"a": 1, "b": 2}', add("c", value=[1, 2]), '{"a": 1, "b": 2, "c": [1, 2]}'),
        ('{\n  "a": 1,\n  "b": 2\n}\n', remove("a"), '{\n  "b": 2\n}\n'),
        ('{\n  "a": 1,\n  "b": 2\n}\n', remove("b"), '{\n  "a": 1\n}\n'),
        ('{\n  "a": {\n    "b": 2\n  }\n}\n', remove("a", "b"), '{\n  "a": {}\n}\n'),
        ('{"a": "x"}', replace("a", value='q"\u2028\n\u00e9'), '{"a": "q\\"\\u2028\\n\u00e9"}'),
        ('{"a": 1}', replace("a", value="1"), '{"a": "1"}'),
        ("[1, 2]\r\n", add(0, value=None), "[null, 1, 2]\r\n"),
        ('{"a": 1} {"b": 1}', replace("a", value=2), '{"a": 2} {"b": 1}'),
    ],
)
def test_json(text, operation, expected):
    assert edited(text, operation, name="a.json") == expected


def test_operations_on_several_documents():
    text = "a: 1\n---\n# nothing\n---\nb: {}\n---\nc: 1\n"
    changes = [
        (2, [Operation("X", "add", ("b", "x"), 1)]),
        (0, [Operation("X", "remove", ("a",)), Operation("X", "add", ("d",), 1)]),
    ]
    assert edit(text.encode(), changes) == b"{d: 1}\n---\n# nothing\n---\nb:\n  x: 1\n---\nc: 1\n"


def test_changes_of_one_document_add_up():
    changes = [(0, [Operation("X", "add", ("b",), 1)]), (0, [Operation("Z", "add", ("c",), 1)])]
    assert edit(b"a: 1\n", changes) == b"a: 1\nb: 1\nc: 1\n"


def test_documents_that_cannot_be_read_stay_as_they_are():
    assert edited("a: 1\n---\nb: 1\nb: 2\n---\n[\n", add("c", value=1)) == "a: 1\nc: 1\n---\nb: 1\nb: 2\n---\n[\n"


@pytest.mark.parametrize(
    "value", ["on", "1e3", "null", "08", "~", "", " a", "a ", "a: b", "a #b", "-", "=", "<<", "1:30", "2024-01-01"]
)
@pytest.mark.parametrize("value_after", ["", "\n\t", "\u2028", "\x7f", "\ufeff", "\U0001f600", "'", '"', "\\"])
def test_a_string_stays_the_string_whatever_it_looks_like(value, value_after):
    text = value + value_after
    for template in ("a: x\n", "a: 'x'\n", 'a: "x"\n', "a: |\n  x\n", "{a: x}", "{a: {b: 1}}\n"):
        result = edited(template, replace("a", value={text: [text]}), add("b", value=text))
        assert read(result.encode()).documents[0].object == {"a": {text: [text]}, "b": text}


@pytest.mark.parametrize(
    "value", ["on", "No", "y", "1e3", "0o17", "08", "null", "~", "1:30", "2024-01-01", "1_000", ".5", "12"]
)
def test_what_any_yaml_reader_could_misread_gets_quotes(value):
    assert edited("a: x\n", replace("a", value=value)) == f'a: "{value}"\n'


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a: x\nb: '2'\n", "a: '1'\nb: '2'\n"),  # the author's quotes
        ("a: x\nb: '2'\nc: [\"3\", '4']\n", "a: '1'\nb: '2'\nc: [\"3\", '4']\n"),  # the most common ones
        ("a: \"x\"\nb: '2'\nc: '3'\n", "a: \"1\"\nb: '2'\nc: '3'\n"),  # a quoted value keeps its quotes
        ('a: x\nb: "2"\n', 'a: "1"\nb: "2"\n'),
        ("{a: x, b: '2'}\n", "{a: '1', b: '2'}\n"),
    ],
)
def test_a_string_that_needs_quotes_gets_the_authors(text, made):
    assert edited(text, replace("a", value="1")) == made


def test_quotes_of_an_inserted_pair_are_the_authors():
    text = "a:\n  b:\n    x/y: '1'\n"
    assert edited(text, add("a", "c", value={"x/y": "1"})) == f"{text}  c:\n    x/y: '1'\n"
    assert edited(text, add("a", "c", value="it's\n")) == f'{text}  c: "it\'s\\n"\n'


@pytest.mark.parametrize(
    "value", ["nvidia.com/gpu", "16Gi", "100m", "x:1.2", "yes-no", "v1", "a b", "NoSchedule", "/dev/x", "50%"]
)
def test_what_nobody_misreads_gets_none(value):
    assert edited("a: x\n", replace("a", value=value)) == f"a: {value}\n"


@pytest.mark.parametrize(
    ("text", "operation", "reason", "line"),
    [
        ("x: &x {a: 1}\nb: *x\n", replace("x", "a", value=2), "anchor &x", 1),
        ("x: &x {a: 1}\nb: *x\n", add("b", "c", value=2), "alias", 2),
        ("x: &x {a: 1}\nb: *x\n", replace("b", "a", value=2), "alias", 1),
        ("x: &x {a: 1}\nb:\n  <<: *x\n", replace("b", "a", value=2), "merge key", 1),
        ("x: &x {a: 1}\nb: *x\n", add("x", "c", value=2), "anchor &x", 1),
        ("x: &x {a: 1}\nb: *x\n", remove("x"), "unknown anchor 'x'", 1),
        ("x: {z: &x 1}\nb: *x\n", remove("x"), "unknown anchor 'x'", 1),
        ("a:\n  b: 1 # c\n  d: 1\n", replace("a", value=1), "comment", 1),
        ("a: [\n  # c\n  1\n]\n", replace("a", value=1), "comment", 1),
        ("a:\n- b: 1\n  # c\n  d: 1\n", remove("a", 0, "b"), "comment", 2),
        ("? a\n: 1\n", add("b", value=1), "could not be read", 1),
        ("? a\n: 1\n", replace("a", value=2), "unusual", 1),
        ("? a\n: 1\n? b\n: 1\n", remove("b"), "unusual", 3),
        ("a: |\n  x", add("b", value=1), "cannot be changed", 1),
    ],
)
def test_what_cannot_be_done_safely_is_refused(text, operation, reason, line):
    with pytest.raises(EditRefusedError, match=reason) as caught:
        edited(text, operation)
    assert caught.value.line == line


def test_a_document_that_is_not_there():
    with pytest.raises(EditRefusedError, match="no readable document 1"):
        edited("a: 1\n---\n[", add("b", value=1), index=1)


@pytest.mark.parametrize(
    "operation",
    [
        ("move", ("a",), 1),
        replace(value=2),
        remove("b"),
        replace("b", value=1),
        add("b", "c", value=1),
        add("a", 5, value=1),
    ],
)
def test_an_operation_that_does_not_apply(operation):
    with pytest.raises((PatchError, EditRefusedError)):
        edited("a: [1]\n", operation)


def test_identity_is_stricter_than_equality():
    assert identical({"a": [1, None, "x"]}, {"a": [1, None, "x"]})
    for one, other in [(1, True), (1, 1.0), ([], {}), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ("", None)]:
        assert not identical([one], [other])


@pytest.mark.parametrize("anchored", [False, True])
def test_how_often_a_document_is_read_hardly_grows_with_its_repairs(monkeypatch, anchored):
    reads = []
    monkeypatch.setattr(edit_module, "read", lambda *args, **more: reads.append(1) or read(*args, **more))
    count = 400
    lines = [f"- &a{{at: {at}}}" if anchored and at == count // 2 else f"- {{at: {at}}}" for at in range(count)]
    text = "\n".join(lines).replace("&a{", "&a {").encode() + b"\n"
    operations = [Operation("GPU001", "add", (at, "more"), True) for at in range(count)]
    if anchored:
        with pytest.raises(EditRefusedError) as refused:
            edit(text, [(0, operations)])
        assert refused.value.line == count // 2 + 1
    else:
        assert edit(text, [(0, operations)]).count(b"more: true") == count
    assert len(reads) < 40


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_new_key_goes_below_the_comments_of_what_it_follows(end):
    text = (
        "spec:\n  containers:\n  - name: a\n    limits:\n      x: 1\n      # about x\n\n  # of the list\n# of nothing\n"
    )
    after = edited(text.replace("\n", end), add("spec", "tolerations", value=[]))
    assert after == text.replace("# about x\n", "# about x\n  tolerations: []\n").replace("\n", end)
    after = edited(text.replace("\n", end), add("spec", "containers", "-", value={"name": "b"}))
    assert after == text.replace("# about x\n", "# about x\n  - name: b\n").replace("\n", end)
    after = edited(text.replace("\n", end), add("spec", "containers", 0, "limits", "z", value=2))
    assert after == text.replace("x: 1\n", "x: 1\n      z: 2\n").replace("\n", end)
