"""The lazily imported PyYAML: fast, complete for other code, and optional."""

import subprocess
import sys

import pytest

from gpu_admission.manifests import yaml_events
from gpu_admission.manifests.reader import read

READ = "from gpu_admission.manifests.reader import read; assert read(b'a: [1]').documents[0].object == {'a': [1]}; import sys; "


def run(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_reading_loads_little_of_yaml():
    loaded = run(
        READ + "print(*sorted(name for name in sys.modules if name.split('.')[0] in ('yaml', 'json', 'datetime')))"
    )
    assert loaded.split() == ["yaml", "yaml._yaml", "yaml.error", "yaml.events", "yaml.nodes", "yaml.tokens"]


def test_json_is_read_without_yaml():
    code = (
        "from gpu_admission.manifests.reader import read; import sys; d = read(b'{\"a\": 1}', 'a.json').documents[0]; "
    )
    assert run(code + "d.position(('a',)); print('yaml._yaml' in sys.modules)") == "False"


@pytest.mark.parametrize(
    "use",
    [
        "import yaml; assert yaml.safe_load('a: 2001-01-01')['a'].year == 2001",
        "from yaml import safe_load, CSafeLoader; import yaml; assert yaml.load('[1]', Loader=CSafeLoader) == [1]",
        "import yaml; assert yaml.dump({'a': 1}) == 'a: 1\\n'; assert yaml.dump([1], Dumper=yaml.CSafeDumper)",
        "import yaml.constructor, yaml; assert issubclass(yaml.SafeLoader, yaml.constructor.SafeConstructor)",
        "import yaml; assert yaml.__with_libyaml__ and yaml.__version__",
        "import yaml; assert hasattr(yaml, 'nodes') and not hasattr(yaml, 'nonsense')",
    ],
)
def test_whoever_imports_yaml_later_finds_all_of_it(use):
    run(READ + use + "; " + READ.removesuffix("import sys; "))


@pytest.mark.parametrize("text", ["a: [", "a: \\x00", "a: b: c"])
def test_its_exceptions_are_the_real_ones(text):
    code = f"""
import yaml
for loader in (yaml.CSafeLoader, yaml.SafeLoader):
    try:
        yaml.load("{text}", Loader=loader)
    except (yaml.scanner.ScannerError, yaml.parser.ParserError, yaml.reader.ReaderError) as error:
        assert str(error)
    else:
        raise SystemExit("no error")
assert read("{text}".encode()).errors
"""
    run(READ + code)


def test_a_yaml_that_is_there_already_is_used():
    run("import yaml; whole = yaml.safe_load; " + READ + "assert sys.modules['yaml'].safe_load is whole")


def test_without_the_binding_the_parser_in_python_reads_the_same():
    code = """
from gpu_admission.manifests import yaml_events
yaml_events._c_parser = lambda: None
from gpu_admission.manifests.reader import read
text = b"a: &x {b: [1e3, 'on', on]}\\nc:\\n  <<: *x\\n  d: |\\n    text\\n"
document = read(text).documents[0]
assert document.object == {"a": {"b": [1000, "on", True]}, "c": {"b": [1000, "on", True], "d": "text\\n"}}, document.object
assert document.position(("c", "d")).line == 4
assert yaml_events.is_slow()
for hostile in (b"[" * 5000, b"&a [*a]", b'"\\\\UFFFFFFFF"', b"a: \\x00", b"a: [", b"? " * 1000, b"\\xff", b'a: "\\\\ud800"'):
    assert len(read(hostile).errors) == 1, hostile
import yaml
assert yaml.safe_load("a: 1") == {"a": 1}
"""
    run(code)


def test_an_unknown_layout_of_pyyaml_is_no_hindrance():
    code = """
from gpu_admission.manifests import yaml_events
yaml_events._ERRORS["nodes"] = "NoSuchThing"
yaml_events._ERRORS.pop("reader")
from gpu_admission.manifests.reader import read
assert read(b"a: 1").documents[0].object == {"a": 1}
assert not yaml_events.is_slow()
import yaml
assert yaml.safe_load("a: 1") == {"a": 1}
"""
    run(code)


def test_libyaml_is_there_where_we_test():
    assert read(b"a: 1").documents
    assert not yaml_events.is_slow()
