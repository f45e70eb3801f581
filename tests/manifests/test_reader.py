"""Files as Kubernetes reads them: documents, errors, and what is skipped."""

import pytest

from gpu_admission.manifests.reader import MAX_ERRORS, read


def objects(text, name=""):
    reading = read(text.encode(), name)
    assert not reading.errors
    assert reading.skipped is None
    return [document.object for document in reading.documents]


def errors(text, name=""):
    return [str(error) for error in read(text.encode(), name).errors]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "a: 1e3\nb: 08\nc: on\nd: 2024-01-01\ne: 1:30\n",
            {"a": 1000, "b": 8, "c": True, "d": "2024-01-01", "e": "1:30"},
        ),
        ("y: 3\n1: x\n1.5: x\n08: x\n", {"true": 3, "1": "x", "1.5": "x", "8": "x"}),
        ("a: 'on'\nb: \"1\"\nc: !!str 2\nd: |\n  3\n", {"a": "on", "b": "1", "c": "2", "d": "3\n"}),
        ("a: !Ref x\nb: !!binary aGk=\n", {"a": "x", "b": "hi"}),
        ("a:\nb: ~\nc: ''\n", {"a": None, "b": None, "c": ""}),
        ("a: =\n", {"a": "="}),
        ("- {a: [1, {b: c}]}\n", [{"a": [1, {"b": "c"}]}]),
        ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("&k a: 1\nb: {*k : 2}\nc: *k\n", {"a": 1, "b": {"a": 2}, "c": "a"}),
    ],
)
def test_one_document(text, value):
    assert objects(text) == [value]


def test_an_alias_is_a_copy_of_its_own():
    (value,) = objects("a: &x {b: [1]}\nc: *x\n")
    value["c"]["b"].append(2)
    assert value["a"] == {"b": [1]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<<: {a: 1, b: 2}\na: 3\n", {"a": 3, "b": 2}),
        ("a: 3\n<<: {a: 1}\n", {"a": 1}),  # go.yaml.in/yaml/v2: what comes later wins
        ("<<: [{a: 1}, {a: 2, b: 2}]\n", {"a": 1, "b": 2}),
        ("x: &x {a: 1}\nz: {<<: *x, b: 2}\n", {"x": {"a": 1}, "z": {"a": 1, "b": 2}}),
        ("x: &x {a: 1}\nz:\n  <<: [*x, {c: 1}]\n", {"x": {"a": 1}, "z": {"a": 1, "c": 1}}),
        ("'<<': {a: 1}\n", {"<<": {"a": 1}}),
        ("a: <<\n", {"a": "<<"}),
    ],
)
def test_merge_keys(text, value):
    assert objects(text) == [value]


@pytest.mark.parametrize("text", ["<<: 1\n", "x: &x [{a: 1}]\ny: {<<: *x}\n", "<<: [1]\n", "<<:\n"])
def test_what_is_merged_must_be_a_map(text):
    assert "merge key" in errors(text)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1: the key 'a' is given twice, first on line 1"),
        ("x:\n- b: 1\n  'b': 2\n", "3:3: the key 'b' is given twice, first on line 2"),
        ("on: 1\ntrue: 2\n", "2:1: the key 'true' is given twice, first on line 1"),
        ("~: 1\n", "1:1: null cannot be a key"),
        ("? [a]\n: 1\n", "1:3: a list cannot be a key"),
        ("? {a: b}\n: 1\n", "1:3: a map cannot be a key"),
        ("a: .inf\n", "1:4: infinity and NaN are not valid JSON numbers, so Kubernetes cannot read them"),
        ("a: !!int x\n", "1:4: cannot read 'x' as !!int"),
        ("a: *x\n", "1:4: unknown anchor 'x'"),
        ("a: &x [*x]\n", "1:8: the anchor 'x' contains itself"),
        ("a: b: c\n", "1:5: unexpected ':' here (quote a string that contains ': ')"),
        ("a:\n\tb: 1\n", "2:1: a tab cannot be used for indentation"),
        ("a: 'x\nb: 1\n", "1:4: this quoted string is not closed before the end of the file"),
    ],
)
def test_an_error_says_what_and_where(text, expected):
    assert errors(text) == [expected]
    assert read(text.encode()).documents == ()


def test_all_errors_of_a_document_are_reported():
    assert [error.line for error in read(b"a: 1\na: 2\nb: .nan\n~: x\n").errors] == [2, 3, 4]


@pytest.mark.parametrize("broken", ["b: [", "b: 1\nb: 2", "b: *x", "b: .inf", "\x07", "b:\n\t- c"])
def test_a_broken_document_does_not_take_the_others_with_it(broken):
    reading = read(f"a: 1\n---\n{broken}\n---\n# Source: c.yaml\nc: 3\n---\nd: 4\n".encode())
    assert [(document.index, document.object) for document in reading.documents] == [
        (0, {"a": 1}),
        (2, {"c": 3}),
        (3, {"d": 4}),
    ]
    assert [error.line for error in reading.errors] in ([3], [4])
    after = reading.documents[1]
    assert after.position(("c",)).line == after.text.text.count("\n", 0, after.text.text.index("c: 3")) + 1
    assert after.source == "c.yaml"


def test_empty_documents_count():
    reading = read(b"---\n---\n# nothing\n---\na: 1\n...\n---\n")
    assert [(document.index, document.object) for document in reading.documents] == [
        (0, None),
        (1, None),
        (2, {"a": 1}),
        (3, None),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "\ufeff"])
def test_nothing(text):
    reading = read(text.encode())
    assert (reading.documents, reading.errors, reading.skipped) == ((), (), None)


def test_errors_are_cut_off_where_nobody_reads_on():
    found = read(b"---\na: [\n" * 1000).errors
    assert len(found) == MAX_ERRORS + 1
    assert "more errors follow" in found[-1].message


@pytest.mark.parametrize(
    "text",
    [
        "a: {{ .Values.a }}\n",  # a map as a key
        "{{- if .Values.a }}\na: 1\n{{- end }}\n",
        "a: 1\n---\nb: {{ .Values.b }}\n---\nc: 1\n",
        "spec:\n{{ toYaml .Values.spec | indent 2 }}\n",
        '{"a": {{ .x }} }',
    ],
)
def test_a_template_that_is_no_yaml_yet_is_skipped(text):
    reading = read(text.encode(), "a.yaml")
    assert (reading.skipped, reading.documents, reading.errors) == ("template", (), ())


def test_so_is_a_template_of_json():
    assert read(b'{"a": {{ .x }} }', "a.json").skipped == "template"


def test_braces_in_what_can_be_read_are_no_template():
    assert objects("a: '{{ .Values.a }}'\nb: |\n  {{ x }}\n") == [{"a": "{{ .Values.a }}", "b": "{{ x }}\n"}]


def test_an_error_without_braces_is_no_template_even_if_another_document_has_some():
    reading = read(b"a: '{{ x }}'\n---\nb: 1\nb: 2\n")
    assert reading.skipped is None
    assert len(reading.documents) == len(reading.errors) == 1


def test_the_file_that_helm_rendered_a_document_from():
    text = "---\n# Source: chart/templates/a.yaml\na: 1\n---\n# Source: chart/templates/b b.yaml\r\nb: 1\n---\nc: '\n# Source: no'\n"
    assert [d.source for d in read(text.encode()).documents] == [
        "chart/templates/a.yaml",
        "chart/templates/b b.yaml",
        None,
    ]


def test_the_file_that_kustomize_took_a_document_from():
    text = (
        "metadata:\n  annotations:\n    config.kubernetes.io/origin: |\n      path: base/deploy.yaml\n      repo: x\n"
    )
    assert read(text.encode()).documents[0].source == "base/deploy.yaml"
    assert read(b"metadata: {annotations: {config.kubernetes.io/origin: 3}}").documents[0].source is None


def test_a_byte_order_mark_and_crlf_are_no_part_of_anything():
    document = read(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: x\r\n").documents[0]
    assert document.object == {"a": 1, "b": {"c": "x"}}
    assert (document.position(("a",)).column, document.line_text(2)) == (1, "b:")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("a: b".encode("utf-16"), "1:1: is UTF-16, not UTF-8: save it as UTF-8"),
        (b"a: b\nc: caf\xe9\n", "2:7: not UTF-8"),
        (b"a: \xed\xa0\x80", "1:4: not UTF-8"),
        (b"a: 1\nb: \x00\n", "2:4: a control character cannot be used in YAML"),
        (b"a: \x7f", "1:4: a control character cannot be used in YAML"),
    ],
)
def test_what_is_no_text(data, expected):
    assert [str(error) for error in read(data).errors] == [expected]
