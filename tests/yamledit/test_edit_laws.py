"""Laws of editing, on objects of any shape in every formatting style."""

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_admission.core import patch
from gpu_admission.core.patch import Operation
from gpu_admission.manifests.reader import read
from gpu_admission.manifests.yaml_nodes import walk
from gpu_admission.yamledit.edit import edit, identical

# Without the empty string, which PyYAML writes as an explicit key (`? ""`): edits around those are refused.
WORDS = [
    "limits",
    "requests",
    "nvidia.com/gpu",
    "on",
    "1",
    "null",
    "a b",
    "x: y",
    "é",
    "-",
    "# no",
    "~",
    "16Gi",
    "it's",
    "\U0001f600",
]
names = st.sampled_from(WORDS)
scalars = st.one_of(
    names, st.integers(-5, 2**40), st.booleans(), st.none(), st.floats(-10, 10).map(lambda x: round(x, 2) + 0.001)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
objects = st.dictionaries(names, values, min_size=1, max_size=4)


def in_yaml(**options):
    return lambda value: yaml.dump(value, sort_keys=False, allow_unicode=True, width=10_000, **options)


STYLES = {
    "block": in_yaml(default_flow_style=False),
    "wide block": in_yaml(default_flow_style=False, indent=4),
    "mixed": in_yaml(default_flow_style=None),
    "flow": in_yaml(default_flow_style=True),
    "quoted": in_yaml(default_flow_style=False, default_style='"'),
    "single quoted": in_yaml(default_flow_style=False, default_style="'"),
    "crlf": lambda value: in_yaml(default_flow_style=False)(value).replace("\n", "\r\n"),
    "no last line break": lambda value: in_yaml(default_flow_style=False)(value).removesuffix("\n"),
    "json": json.dumps,
    "json minified": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    "json indented": lambda value: json.dumps(value, indent=2) + "\n",
    "json by tabs": lambda value: json.dumps(value, indent="\t"),
}


def places(value, path=()):
    """Return all pointers into a value, in the order of the text."""
    yield path
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, name))


@st.composite
def operations(draw, value):
    path = draw(st.sampled_from(list(places(value))))
    here = walked(value, path)
    kinds = (["add"] if isinstance(here, dict | list) else []) + (["replace", "remove"] if path else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "add":
        path = (*path, draw(names) if isinstance(here, dict) else draw(st.sampled_from(["-", *range(len(here) + 1)])))
    return Operation("GPU000", kind, path, None if kind == "remove" else draw(values))


def walked(value, path):
    for token in path:
        value = value[token]
    return value


@settings(max_examples=200, deadline=None)
@given(st.data(), objects, st.sampled_from(list(STYLES)))
def test_what_is_written_plainly_can_always_be_edited(data, value, style):
    """No refusal: the file has the result of the operations, and every byte outside of the parent is kept."""
    text = STYLES[style](value)
    name = "a.json" if "json" in style else "a.yaml"
    document = read(text.encode(), name).documents[0]
    operation = data.draw(operations(document.object))
    result = edit(text.encode(), [(0, [operation])], name).decode()
    assert identical(read(result.encode(), name).documents[0].object, patch.apply(document.object, [operation]))
    parent = walk(document.root, operation.path[:-1])[-1]
    assert result.startswith(text[: parent.place.start])
    behind = text.find("\n", parent.node.end)
    assert behind < 0 or result.endswith(text[behind:])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(objects, min_size=1, max_size=3), st.sampled_from(["block", "mixed", "crlf"]))
def test_several_operations_on_several_documents(data, contents, style):
    ends = "\r\n" if style == "crlf" else "\n"
    text = "".join(f"---{ends}# comment{ends}{STYLES[style](content)}" for content in contents)
    documents = read(text.encode()).documents
    changes, expected = [], []
    for document in documents:
        value, asked = document.object, []
        for _ in range(data.draw(st.integers(0, 3))):
            if isinstance(value, dict | list):
                asked.append(data.draw(operations(value)))
                value = patch.apply(value, asked[-1:])
        expected.append(value)
        if asked:
            changes.append((document.index, asked))
    result = edit(text.encode(), data.draw(st.permutations(changes)))
    assert identical([document.object for document in read(result).documents], expected)
    assert result.count(b"# comment") == len(contents)
    assert changes or result == text.encode()


@settings(max_examples=60, deadline=None)
@given(st.data(), objects)
def test_an_operation_and_its_inverse_leave_the_object_as_it_was(data, value):
    text = STYLES["block"](value).encode()
    operation = data.draw(operations(value).filter(lambda operation: operation.op != "remove"))
    before = read(text).documents[0].object
    after = edit(
        edit(text, [(0, [operation])]),
        [(0, [Operation("GPU000", "replace", (name,), item) for name, item in before.items()])],
    )
    found = read(after).documents[0].object
    assert identical({name: found[name] for name in before}, before)
