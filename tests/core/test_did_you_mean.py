"""The clause that suggests a valid word."""

from pathlib import Path

import pytest

import gpu_admission
from gpu_admission.core.typos import did_you_mean, suggestion

# Computed amounts and keys, not suggestions.
OF_AMOUNTS = {"backends/kai.py", "backends/amount_checks.py", "rules/placement/gpu208_toleration_key_typo.py"}


@pytest.mark.parametrize(
    ("word", "words", "clause"),
    [
        ("defualt", ["default", "strict"], "; did you mean 'default'?"),
        ("DEFAULT", ["default", "strict"], "; did you mean 'default'?"),
        ("memory_factor", ["memoryFactor"], "; did you mean 'memoryFactor'?"),
        ("memory-factor", ["memoryFactor", "memory-faktor"], "; did you mean 'memoryFactor'?"),
        ("GPUOOl", ["GPU001", "GPU002"], "; did you mean 'GPU001'?"),
        ("zzzzzzzzz", ["b", "a"], "; choose from: b, a"),
        ("zzzzzzzzz", [], ""),
        ("zzzzzzzzz", [f"word{number}" for number in range(17)], ""),
        ("", ["default"], "; choose from: default"),
        ("\x1b[31m", ["default"], "; choose from: default"),
        ("x" * 1_000_000, ["default"], "; choose from: default"),
    ],
)
def test_clause(word, words, clause):
    assert did_you_mean(word, words) == clause


def test_there_is_no_other():
    root = Path(gpu_admission.__file__).parent
    saying = {str(path.relative_to(root)) for path in root.rglob("*.py") if "did you mean" in path.read_text()}
    assert saying == {"core/typos.py", *OF_AMOUNTS}
    assert suggestion("x") == "; did you mean 'x'?"
