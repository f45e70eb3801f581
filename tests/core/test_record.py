"""Records: their behaviour at run time, and to mypy."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_admission.core.record import record

ROOT = Path(__file__).resolve().parents[2]


@record
class Place:
    """Where."""

    file: str
    line: int | None = None

    @property
    def short(self):
        return f"{self.file}:{self.line}"


@record(frozen=False)
class Tally:
    count: int = 0
    names: tuple[str, ...] = ()


@record
class Nothing:
    pass


def test_it_is_made_by_position_and_by_keyword():
    assert Place("a", 1) == Place(line=1, file="a")
    assert (Place("a").line, Place("a", 2).short, Tally().count) == (None, "a:2", 0)
    assert Nothing() == Nothing()


@pytest.mark.parametrize("arguments", [{}, {"file": "a", "odd": 1}])
def test_wrong_arguments_are_an_error(arguments):
    with pytest.raises(TypeError, match=r"__init__\(\)"):
        Place(**arguments)


def test_it_compares_by_value_and_class():
    assert Place("a") != Place("b")
    assert Place("a") != ("a", None)
    assert len({Place("a"), Place("a"), Place("b")}) == 2


def test_it_shows_its_values():
    assert repr(Place("a", 1)) == "Place(file='a', line=1)"
    assert (Place.__doc__, Place.__module__, Place.__qualname__) == ("Where.", __name__, "Place")


def test_it_has_slots():
    with pytest.raises(AttributeError):
        Place("a").odd = 1
    assert not hasattr(Place("a"), "__dict__")


def test_a_mutable_one_can_be_changed_and_has_no_hash():
    tally = Tally()
    tally.count += 1
    assert tally == Tally(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(tally)
    with pytest.raises(AttributeError):
        tally.odd = 1


@pytest.mark.parametrize("value", [Place("a", 1), Tally(2, ("x",))])
def test_it_survives_pickle_and_copy(value):
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.copy(value) == copy.deepcopy(value) == value


def test_it_can_be_matched():
    match Place("a", 7):
        case Place(file, 7):
            assert file == "a"
        case _:
            pytest.fail("not matched")


def test_mistakes_are_found_when_the_class_is_made():
    with pytest.raises(TypeError, match="mutable default"):

        @record
        class Shared:
            names: list[str] = []  # noqa: RUF012

    with pytest.raises(TypeError, match="has no default and follows"):

        @record
        class Order:
            a: int = 0
            b: int

    with pytest.raises(TypeError, match="no base class"):

        @record
        class Child(Place):
            a: int


def test_it_imports_nothing():
    code = "import sys; before = set(sys.modules); import gpu_admission.core.record; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert set(loaded.stdout.split()) == {
        "__future__",
        "gpu_admission",
        "gpu_admission.core",
        "gpu_admission.core.record",
    }


TYPED = """
from gpu_admission.core.record import record

@record
class Place:
    file: str
    line: int | None = None

@record(frozen=False)
class Tally:
    count: int = 0

Place("a", line=1)
Tally().count = 3
Place(1)
Place()
Place("a").file = "b"
"""


def test_mypy_takes_it_for_a_dataclass(tmp_path):
    api = pytest.importorskip("mypy.api")
    (tmp_path / "typed.py").write_text(TYPED)
    cache = str(tmp_path / "cache")
    out, _, code = api.run(["--strict", "--config-file=", "--cache-dir", cache, str(tmp_path / "typed.py")])
    found = [line.rpartition("[")[2].rstrip("]") for line in out.splitlines() if "error:" in line]
    assert (code, found) == (1, ["arg-type", "call-arg", "misc"]), out


@record(eq=False)
class Handle:
    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a name is required")


class TestOptions:
    def test_eq_false_compares_and_hashes_by_identity(self):
        one, other = Handle("a"), Handle("a")
        assert one != other
        assert {one: 1, other: 2} == {one: 1, other: 2}
        assert len({one, other}) == 2

    def test_post_init_runs_after_the_fields_are_set(self):
        with pytest.raises(ValueError, match="a name is required"):
            Handle("")
        with pytest.raises(ValueError, match="a name is required"):
            Handle(name="")
